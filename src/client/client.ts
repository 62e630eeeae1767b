import { createClient, type Client, type Transport } from "@connectrpc/connect";
import { Health } from "../../gen/health/v1/health_pb.js";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { StateService, type WaitForStateResponse } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import { WebhookService } from "../../gen/opscore/v1/webhook_service_pb.js";
import { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import { borrowedTransport } from "./calls/borrowed-transport.js";
import { CallTransport } from "./calls/call-transport.js";
import { clientClosed } from "./calls/failures.js";
import { sharingSignals } from "./calls/shared-signals.js";
import { lazyNodeTransport } from "./calls/lazy-transport.js";
import type { OpenTransport, Protocol } from "./calls/node-transport.js";
import { Ending } from "./ending.js";
import { CALL_RETRY, retryPolicy, type RetryOptions } from "./retry-policy.js";
import { systemScheduler, type Scheduler } from "./scheduler.js";
import { waitForState, type WaitCondition, type WaitOptions } from "./wait/wait.js";
import {
  watchSessions,
  watchStates,
  watchTasks,
  type SessionFilter,
  type SessionWatch,
  type StateFilter,
  type StateWatch,
  type TaskFilter,
  type TaskWatch,
  type WatchOptions,
} from "./watch/watches.js";

export interface OpsCoreClientOptions {
  /** Where the server listens: `http://HOST:PORT`, or `https:`. */
  readonly baseUrl: string;
  /**
   * How to speak to it: a protocol, or a Connect transport that was made elsewhere (for a browser, or for tests), which then stays the
   * caller's to close. Default `grpc`.
   */
  readonly transport?: Protocol | Transport | undefined;
  /** Which HTTP carries `connect` and `grpc-web`; gRPC is always carried by 2. Default "2". */
  readonly httpVersion?: "1.1" | "2" | undefined;
  /** Sent as `authorization: Bearer KEY`. */
  readonly apiKey?: string | undefined;
  /** The namespace that the client works in, unless its credential names one. Default `default`. */
  readonly namespace?: string | undefined;
  /**
   * How calls that are safe to repeat are tried again when the server is UNAVAILABLE, or RESOURCE_EXHAUSTED with a time to come back.
   * Default: 5 attempts in all, waits of up to 100 ms that double up to 5 s. `maxAttempts: 1` turns it off.
   */
  readonly retry?: RetryOptions | undefined;
  /**
   * The deadline of a unary call that names none, in milliseconds; 0: none. A SetState has as much longer as it may be held for its
   * agent's registration. Streams and waits have no deadline unless they are given one. Default 10,000.
   */
  readonly defaultTimeoutMs?: number | undefined;
  /** Time and chance, for tests. */
  readonly scheduler?: Scheduler | undefined;
}

/**
 * A client of one server, or of many replicas behind one address. Cheap to make: it connects with its first call, keeps one connection,
 * and finds a new one by itself. An idle client does not keep the process alive.
 */
export interface OpsCoreClient extends AsyncDisposable {
  /** The calls of `opscore.v1.AgentService`. */
  readonly agents: Client<typeof AgentService>;
  /** The calls of `opscore.v1.StateService`. For a watch or a wait that outlives its connection see below. */
  readonly states: Client<typeof StateService>;
  /** The calls of `opscore.v1.SessionService`. */
  readonly sessions: Client<typeof SessionService>;
  /** The calls of `opscore.v1.WorkflowService`. */
  readonly workflows: Client<typeof WorkflowService>;
  /** The calls of `opscore.v1.TaskService`. */
  readonly tasks: Client<typeof TaskService>;
  /** The calls of `opscore.v1.WebhookService`. */
  readonly webhooks: Client<typeof WebhookService>;
  /** The calls of `grpc.health.v1.Health`. */
  readonly health: Client<typeof Health>;

  /**
   * Watches agents: what is there now, `synced`, and then every event, in order and once, over as many connections as it takes. See
   * {@link StateWatch} for how it ends. Nothing is sent before the watch is iterated.
   *
   * @throws RangeError for options out of bounds
   */
  watchState(filter?: StateFilter, options?: WatchOptions): StateWatch;

  /**
   * Watches sessions, in the same way.
   *
   * @throws RangeError for options out of bounds
   */
  watchSessions(filter?: SessionFilter, options?: WatchOptions): SessionWatch;

  /**
   * Watches tasks, in the same way. An agent that works on tasks has it easier with `Agent.tasks`.
   *
   * @throws RangeError for options out of bounds
   */
  watchTasks(filter?: TaskFilter, options?: WatchOptions): TaskWatch;

  /**
   * Waits until an agent is in one of some states, over restarts of the server. A state that the agent passed through since the wait
   * began is not missed.
   *
   * @returns how the wait ended, and the state that ended it
   * @throws ConnectError; DEADLINE_EXCEEDED (WAIT_TIMED_OUT) when `timeoutMs` ran out, with the last known state among its details (see
   *   `lastKnownState`); Canceled when `signal` aborts
   */
  waitForState(condition: WaitCondition, options?: WaitOptions): Promise<WaitForStateResponse>;

  /**
   * Calls `listener` when the client is closed; at once if it is.
   *
   * @returns stops listening
   */
  onClose(listener: () => void): () => void;

  /** Ends the client's watches, fails its calls with code Canceled, and frees its connections. May be called again. */
  close(): void;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Makes a client.
 *
 * @throws TypeError when `baseUrl` is not an http or https URL, or `apiKey` or `namespace` cannot stand in a header
 * @throws RangeError for options out of bounds
 */
export function createOpsCoreClient(options: OpsCoreClientOptions): OpsCoreClient {
  const { scheduler = systemScheduler } = options;
  const lifetime = new Ending();
  const carrier = openCarrier(options);
  const rules = {
    headers: headers(options),
    retry: retryPolicy(CALL_RETRY, options.retry),
    defaultTimeoutMs: options.defaultTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    scheduler,
    lifetime,
  };
  if (!(rules.defaultTimeoutMs >= 0)) throw new RangeError("defaultTimeoutMs must not be negative");
  const transport = new CallTransport(carrier.transport, rules);
  const once = new CallTransport(carrier.transport, { ...rules, retry: { ...rules.retry, maxAttempts: 1 } });
  const calls = sharingSignals(transport);
  const waits = { calls: createClient(StateService, sharingSignals(once)), scheduler, lifetime };
  const watches = { transport, scheduler, lifetime };

  function close(): void {
    lifetime.end();
    carrier.close(clientClosed());
  }

  return {
    agents: createClient(AgentService, calls),
    states: createClient(StateService, calls),
    sessions: createClient(SessionService, calls),
    workflows: createClient(WorkflowService, calls),
    tasks: createClient(TaskService, calls),
    webhooks: createClient(WebhookService, calls),
    health: createClient(Health, calls),
    watchState: (filter = {}, watchOptions = {}) => watchStates(watches, filter, watchOptions),
    watchSessions: (filter = {}, watchOptions = {}) => watchSessions(watches, filter, watchOptions),
    watchTasks: (filter = {}, watchOptions = {}) => watchTasks(watches, filter, watchOptions),
    waitForState: (condition, waitOptions = {}) => waitForState(waits, condition, waitOptions),
    onClose: (listener) => lifetime.onEnd(listener),
    close,
    [Symbol.asyncDispose]: () => {
      close();
      return Promise.resolve();
    },
  };
}

function openCarrier({ baseUrl, transport = "grpc", httpVersion = "2" }: OpsCoreClientOptions): OpenTransport {
  if (typeof transport !== "string") return borrowedTransport(transport);
  const { protocol } = new URL(baseUrl);
  if (protocol !== "http:" && protocol !== "https:") throw new TypeError(`baseUrl must be http or https: ${baseUrl}`);
  return lazyNodeTransport({ baseUrl, protocol: transport, httpVersion });
}

function headers({ apiKey, namespace }: OpsCoreClientOptions): Readonly<Record<string, string>> {
  const all = {
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    ...(namespace === undefined ? {} : { "opscore-namespace": namespace }),
  };
  return Object.fromEntries(new Headers(all));
}
