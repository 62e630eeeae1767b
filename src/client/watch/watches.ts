import { create, type DescMessage, type DescMethodServerStreaming, type MessageShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import type { AgentState, State } from "../../../gen/opscore/v1/common_pb.js";
import {
  SessionService,
  WatchSessionsRequestSchema,
  type Session,
  type SessionEvent,
  type SessionStatus,
  type WatchSessionsResponse,
} from "../../../gen/opscore/v1/session_service_pb.js";
import {
  StateService,
  WatchStateRequestSchema,
  type StateEvent,
  type WatchStateResponse,
} from "../../../gen/opscore/v1/state_service_pb.js";
import {
  TaskService,
  WatchTasksRequestSchema,
  type Task,
  type TaskEvent,
  type WatchTasksResponse,
} from "../../../gen/opscore/v1/task_service_pb.js";
import { Ending } from "../ending.js";
import { RECONNECT, retryPolicy, type RetryOptions } from "../retry-policy.js";
import type { Scheduler } from "../scheduler.js";
import { onAbort } from "../signals.js";
import { ResumingStream, type Reconnect, type WatchMessage, type WatchProtocol } from "./resuming-stream.js";
import { Watch } from "./watch.js";

/** Which agents and which of their events to watch; all that is given must match. Nothing given: everything in the namespace. */
export interface StateFilter {
  /** Only these agents, which need not exist yet. At most 10,000. */
  readonly agentIds?: readonly string[] | undefined;
  /** A Kubernetes label selector, such as `env=prod,tier in (web,db),!canary`. */
  readonly labelSelector?: string | undefined;
  /** Only agents that have all of these. */
  readonly capabilities?: readonly string[] | undefined;
  /** Only events whose new or previous state is one of these, so that leaving is seen too. */
  readonly states?: readonly State[] | undefined;
}

/** Which sessions and which of their events to watch; all that is given must match. */
export interface SessionFilter {
  /** Only these sessions, which need not exist yet. At most 10,000. */
  readonly sessionIds?: readonly string[] | undefined;
  /** Only sessions of one of these agents. At most 10,000. */
  readonly agentIds?: readonly string[] | undefined;
  /** Only events whose new or previous status is one of these. */
  readonly statuses?: readonly SessionStatus[] | undefined;
}

/** Which tasks to watch; all that is given must match. */
export interface TaskFilter {
  /** Only tasks that this agent has, and what becomes of them. */
  readonly agentId?: string | undefined;
  /** With `agentId`: only tasks that were leased to this incarnation of it. */
  readonly agentIncarnation?: bigint | undefined;
  /** Only tasks of these sessions, which need not exist yet. At most 10,000. */
  readonly sessionIds?: readonly string[] | undefined;
}

export interface WatchOptions {
  /** Ends the watch, without an error, at once. */
  readonly signal?: AbortSignal | undefined;
  /** Go on after this token of an earlier watch with the same filter. Default: start anew. */
  readonly resumeToken?: string | undefined;
  /** Begin with what is there now. Default true; of no effect with a token. */
  readonly includeSnapshot?: boolean | undefined;
  /**
   * The server gives a sign of life when it has sent nothing for so long; after three of these without any, the client reconnects.
   * Milliseconds, from 100 to 3,600,000. Default 10,000.
   */
  readonly progressIntervalMs?: number | undefined;
  /** How to reconnect. `maxAttempts` counts tries in a row that brought nothing. Default: without end. */
  readonly reconnect?: RetryOptions | undefined;
  /** Told of each failed try before the wait for the next. */
  readonly onReconnect?: ((reconnect: Reconnect) => void) | undefined;
  /** Told when the server has answered again after a failed try, also when that brought nothing new. */
  readonly onReconnected?: (() => void) | undefined;
}

/** What a watch of states hands over, besides `synced` and `resync`. */
export type StateEntry =
  /** An agent's current state; part of the snapshot that comes before `synced`. */
  | { readonly type: "snapshot"; readonly state: AgentState }
  /** Something happened to an agent. */
  | { readonly type: "event"; readonly event: StateEvent };

/** What a watch of sessions hands over, besides `synced` and `resync`. */
export type SessionEntry =
  /** A session as it is now; part of the snapshot that comes before `synced`. */
  | { readonly type: "snapshot"; readonly session: Session }
  /** Something happened to a session. */
  | { readonly type: "event"; readonly event: SessionEvent };

/** What a watch of tasks hands over, besides `synced` and `resync`. */
export type TaskEntry =
  /** A task as it is now; part of the snapshot that comes before `synced`. */
  | { readonly type: "snapshot"; readonly task: Task }
  /** Something happened to a task. */
  | { readonly type: "event"; readonly event: TaskEvent };

export type StateWatch = Watch<StateEntry>;
export type SessionWatch = Watch<SessionEntry>;
export type TaskWatch = Watch<TaskEntry>;

/** What a watch needs of the client that it belongs to. */
export interface WatchContext {
  readonly transport: Transport;
  readonly scheduler: Scheduler;
  /** Ends when the client is closed. */
  readonly lifetime: Ending;
}

const DEFAULT_PROGRESS_MS = 10_000;
/** What the server takes. */
const MIN_PROGRESS_MS = 100;
const MAX_PROGRESS_MS = 3_600_000;
/** How many signs of life may be missing before the server is taken for dead. */
const MISSED_PROGRESS = 3;

/** @throws RangeError for options out of bounds */
export function watchStates(context: WatchContext, filter: StateFilter, options: WatchOptions): StateWatch {
  const request = {
    agentIds: [...(filter.agentIds ?? [])],
    labelSelector: filter.labelSelector ?? "",
    capabilities: [...(filter.capabilities ?? [])],
    states: [...(filter.states ?? [])],
    progressInterval: durationFromMs(progressMs(options)),
  };
  return startWatch<WatchStateResponse, StateEntry>(context, options, {
    open: (start, signal) =>
      openStream(
        context.transport,
        StateService.method.watchState,
        create(WatchStateRequestSchema, { ...request, ...start }),
        signal,
      ),
    snapshot: ({ states }) => states.map((state) => ({ type: "snapshot", state })),
    events: ({ events }) => events.map((event) => ({ type: "event", event })),
  });
}

/** @throws RangeError for options out of bounds */
export function watchSessions(context: WatchContext, filter: SessionFilter, options: WatchOptions): SessionWatch {
  const request = {
    sessionIds: [...(filter.sessionIds ?? [])],
    agentIds: [...(filter.agentIds ?? [])],
    statuses: [...(filter.statuses ?? [])],
    progressInterval: durationFromMs(progressMs(options)),
  };
  return startWatch<WatchSessionsResponse, SessionEntry>(context, options, {
    open: (start, signal) =>
      openStream(
        context.transport,
        SessionService.method.watchSessions,
        create(WatchSessionsRequestSchema, { ...request, ...start }),
        signal,
      ),
    snapshot: ({ sessions }) => sessions.map((session) => ({ type: "snapshot", session })),
    events: ({ events }) => events.map((event) => ({ type: "event", event })),
  });
}

/** @throws RangeError for options out of bounds */
export function watchTasks(context: WatchContext, filter: TaskFilter, options: WatchOptions): TaskWatch {
  const request = {
    agentId: filter.agentId ?? "",
    agentIncarnation: filter.agentIncarnation ?? 0n,
    sessionIds: [...(filter.sessionIds ?? [])],
    progressInterval: durationFromMs(progressMs(options)),
  };
  return startWatch<WatchTasksResponse, TaskEntry>(context, options, {
    open: (start, signal) =>
      openStream(
        context.transport,
        TaskService.method.watchTasks,
        create(WatchTasksRequestSchema, { ...request, ...start }),
        signal,
      ),
    snapshot: ({ tasks }) => tasks.map((task) => ({ type: "snapshot", task })),
    events: ({ events }) => events.map((event) => ({ type: "event", event })),
  });
}

function startWatch<Message extends WatchMessage, Entry>(
  { scheduler, lifetime }: WatchContext,
  options: WatchOptions,
  protocol: WatchProtocol<Message, Entry>,
): Watch<Entry> {
  const resumeToken = options.resumeToken ?? "";
  const source = new ResumingStream({
    protocol,
    start: { resumeToken, includeSnapshot: options.includeSnapshot ?? true },
    silenceMs: MISSED_PROGRESS * progressMs(options),
    reconnect: retryPolicy(RECONNECT, options.reconnect),
    onReconnect: options.onReconnect,
    onReconnected: options.onReconnected,
    scheduler,
  });
  const ended = new Ending();
  const watch = new Watch<Entry>(source, resumeToken, () => ended.end());
  const close = () => watch.close();
  ended.onEnd(lifetime.onEnd(close));
  ended.onEnd(onAbort(options.signal, close));
  return watch;
}

/**
 * Said here and not left to the server: a watch that takes a server for dead before that can refuse the interval would never hear of it,
 * and try again for ever. In whole milliseconds, as others cannot be sent.
 */
function progressMs({ progressIntervalMs = DEFAULT_PROGRESS_MS }: WatchOptions): number {
  const ms = Math.round(progressIntervalMs);
  if (ms >= MIN_PROGRESS_MS && ms <= MAX_PROGRESS_MS) return ms;
  throw new RangeError(`progressIntervalMs must be from ${MIN_PROGRESS_MS} to ${MAX_PROGRESS_MS}`);
}

/** Calls past the generators of the generated client, which cannot be cut while they wait and cost a promise more for each message. */
async function openStream<I extends DescMessage, O extends DescMessage>(
  transport: Transport,
  method: DescMethodServerStreaming<I, O>,
  request: MessageShape<I>,
  signal: AbortSignal,
): Promise<AsyncIterable<MessageShape<O>>> {
  const { message } = await transport.stream(method, signal, undefined, undefined, only(request), undefined);
  return message;
}

// eslint-disable-next-line @typescript-eslint/require-await -- an async iterable of one thing that is there already
async function* only<T>(value: T): AsyncIterable<T> {
  yield value;
}
