/** The services over a memory storage, called in two ways: directly, and through Connect's router and its wire format. */
import {
  create,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  createClient,
  createContextValues,
  createHandlerContext,
  createRouterTransport,
  type Client,
  type HandlerContext,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { expect } from "vitest";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import { WebhookService } from "../../gen/opscore/v1/webhook_service_pb.js";
import { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import { OpsCoreError, type Reason } from "../../src/errors/index.js";
import { toConnectError } from "../../src/interceptors/index.js";
import { callerKey, type Caller } from "../../src/services/caller.js";
import { createServices, DEFAULT_LIMITS, type Limits, type Services } from "../../src/services/index.js";
import { taskLeaseMs } from "../../src/services/workflows/leases.js";
import { createMemoryStorage, type MemoryStorageOptions } from "../../src/storage/memory/index.js";
import { TaskDelivery, type TaskRecord } from "../../src/storage/records.js";
import type { Storage } from "../../src/storage/storage.js";
import { WatchHub } from "../../src/watch/hub.js";
import { FakeClock } from "../helpers/fake-clock.js";

export const CALLER: Caller = { namespace: "default", actor: "tester" };

export interface Clients {
  readonly agents: Client<typeof AgentService>;
  readonly states: Client<typeof StateService>;
  readonly sessions: Client<typeof SessionService>;
  readonly workflows: Client<typeof WorkflowService>;
  readonly tasks: Client<typeof TaskService>;
  readonly webhooks: Client<typeof WebhookService>;
}

export interface Harness extends Clients {
  readonly clock: FakeClock;
  readonly storage: Storage;
  readonly services: Services;
  /** What was thrown that is not an OpsCoreError. */
  readonly defects: unknown[];
  /** The same services as another caller sees them. */
  as(caller: Partial<Caller>): Clients;
}

interface HarnessOptions {
  readonly limits?: Partial<Limits>;
  readonly memory?: MemoryStorageOptions;
  /** Stands before the memory storage. */
  readonly wrap?: (storage: Storage) => Storage;
}

/** Clients that call the service objects themselves, so that failures arrive as they were thrown. */
export function createHarness({ limits, memory, wrap = (storage) => storage }: HarnessOptions = {}): Harness {
  const clock = new FakeClock();
  const storage = wrap(createMemoryStorage({ clock, ...memory }));
  const hub = new WatchHub(storage);
  void hub.start();
  const defects: unknown[] = [];
  const services = createServices({
    storage,
    hub,
    clock,
    limits: { ...DEFAULT_LIMITS, ...limits },
    onDefect: (_errorId, thrown) => defects.push(thrown),
  });
  const as = (caller: Partial<Caller>): Clients => clientsOf(createDirectTransport(services, { ...CALLER, ...caller }));
  return { clock, storage, services, defects, as, ...as({}) };
}

/** Clients whose messages take the way through Connect's wire format, and whose failures arrive as the server sends them. */
export function createRoutedClients({ services, defects }: Harness, format: "binary" | "json"): Clients {
  const asConnectErrors: Interceptor = (next) => async (request) => {
    try {
      return await next(request);
    } catch (thrown) {
      throw toConnectError(thrown, (_errorId, defect) => defects.push(defect));
    }
  };
  return clientsOf(
    createRouterTransport(
      (router) => {
        router.service(AgentService, services.agents);
        router.service(StateService, services.states);
        router.service(SessionService, services.sessions);
        router.service(WorkflowService, services.workflows);
        router.service(WebhookService, services.webhooks);
        router.service(TaskService, services.tasks);
      },
      { router: { interceptors: [asConnectErrors] }, transport: { useBinaryFormat: format === "binary" } },
    ),
  );
}

export function contextFor(method: DescMethod, caller: Caller = CALLER, signal?: AbortSignal): HandlerContext {
  return createHandlerContext({
    service: method.parent,
    method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: `https://in-memory/${method.parent.typeName}/${method.name}`,
    contextValues: createContextValues().set(callerKey, caller),
    ...(signal === undefined ? {} : { requestSignal: signal }),
  });
}

/** Gives a READY task to an agent, as the scheduler would. */
export async function lease(
  { storage }: Harness,
  { sessionId, taskId, agentId }: { readonly sessionId: string; readonly taskId: string; readonly agentId: string },
  delivery: TaskDelivery = TaskDelivery.STREAM,
): Promise<TaskRecord> {
  const { namespace } = CALLER;
  const [task, agent] = [
    await storage.getTask({ namespace, sessionId, taskId }),
    await storage.getAgent({ namespace, agentId }),
  ];
  if (task === undefined || agent === undefined) throw new Error("no such task, or no such agent");
  const attempt = { namespace, sessionId, taskId, attempt: task.attempt + 1 };
  const { incarnation: agentIncarnation } = agent.record;
  const { revision: agentRevision } = agent.state;
  await storage.reserveSlot({ ...attempt, agentId, incarnation: agentIncarnation });
  const leaseMs = taskLeaseMs(delivery, task.timeoutMs);
  return storage.leaseTask({
    ...attempt,
    agentId,
    agentIncarnation,
    agentRevision,
    delivery,
    leaseMs,
  });
}

/** Expects a failure with this reason and returns it. */
export async function failure(reason: Reason, call: () => unknown): Promise<OpsCoreError> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof OpsCoreError)) throw error;
    expect(error.reason).toBe(reason);
    return error;
  }
  throw new Error(`expected a failure with ${reason}`);
}

/** Expects a call to be refused for its fields and returns their paths. */
export async function refusedFields(call: () => unknown): Promise<string[]> {
  const error = await failure("INVALID_FIELD", call);
  return error.violations.map(({ field }) => field);
}

/** Feeds a stream by hand. */
export class Outbox<T> implements AsyncIterable<T> {
  private readonly unread: T[] = [];
  private wake: (() => void) | undefined;
  private closed = false;
  private failed: Error | undefined;
  /** How many the other side has taken. */
  taken = 0;

  send(...messages: T[]): void {
    this.unread.push(...messages);
    this.wake?.();
  }

  close(): void {
    this.closed = true;
    this.wake?.();
  }

  fail(error: Error): void {
    this.failed = error;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const message = this.unread.shift();
      if (message !== undefined) {
        this.taken += 1;
        yield message;
      } else if (this.failed !== undefined) {
        throw this.failed;
      } else if (this.closed) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    }
  }
}

function clientsOf(transport: Transport): Clients {
  return {
    agents: createClient(AgentService, transport),
    states: createClient(StateService, transport),
    sessions: createClient(SessionService, transport),
    workflows: createClient(WorkflowService, transport),
    webhooks: createClient(WebhookService, transport),
    tasks: createClient(TaskService, transport),
  };
}

type Handler = (request: unknown, context: HandlerContext) => unknown;

function createDirectTransport(services: Services, caller: Caller): Transport {
  const implementations = new Map<string, object>([
    [AgentService.typeName, services.agents],
    [StateService.typeName, services.states],
    [SessionService.typeName, services.sessions],
    [WorkflowService.typeName, services.workflows],
    [WebhookService.typeName, services.webhooks],
    [TaskService.typeName, services.tasks],
  ]);
  const handler = (method: DescMethod): Handler => {
    const implementation = implementations.get(method.parent.typeName) as Record<string, Handler> | undefined;
    const found = implementation?.[method.localName];
    if (found === undefined) throw new Error(`${method.name} is not implemented`);
    return found;
  };

  return {
    async unary(method, signal, _timeoutMs, _header, input) {
      const answer = await handler(method)(create(method.input, input), contextFor(method, caller, signal));
      return {
        stream: false,
        service: method.parent,
        method,
        header: new Headers(),
        trailer: new Headers(),
        message: answer as MessageShape<typeof method.output>,
      };
    },
    async stream(method, signal, _timeoutMs, _header, input) {
      const requests = created(method.input, input);
      const request: unknown = method.methodKind === "server_streaming" ? (await requests.next()).value : requests;
      const answers = handler(method)(request, contextFor(method, caller, signal));
      return {
        stream: true,
        service: method.parent,
        method,
        header: new Headers(),
        trailer: new Headers(),
        message: answers as AsyncIterable<MessageShape<typeof method.output>>,
      };
    },
  };
}

async function* created<I extends DescMessage>(
  schema: I,
  inputs: AsyncIterable<MessageInitShape<I>>,
): AsyncGenerator<MessageShape<I>> {
  for await (const input of inputs) yield create(schema, input);
}
