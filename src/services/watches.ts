/** The streams and waits: WatchState, WatchSessions, WatchTasks, WaitForState. */
import type { HandlerContext } from "@connectrpc/connect";
import type { WatchSessionsRequest, WatchSessionsResponse } from "../../gen/opscore/v1/session_service_pb.js";
import type {
  WaitForStateRequest,
  WaitForStateResponse,
  WatchStateRequest,
  WatchStateResponse,
} from "../../gen/opscore/v1/state_service_pb.js";
import type { WatchTasksRequest, WatchTasksResponse } from "../../gen/opscore/v1/task_service_pb.js";
import { PushStream } from "../lib/push-source.js";
import type { Agent, SessionRecord, TaskRecord } from "../storage/records.js";
import type { Storage } from "../storage/storage.js";
import type { BatchContent } from "../watch/batch.js";
import {
  AgentFilter,
  SessionFilter,
  TaskFilter,
  type AgentEvent,
  type SessionEvent,
  type TaskEvent,
} from "../watch/filters.js";
import type { WatchHub } from "../watch/hub.js";
import type { WatchRequest } from "../watch/topic.js";
import { agentTopic, sessionTopic, taskTopic } from "../watch/topics.js";
import { waitForState, type WaitRequest } from "../watch/wait.js";
import { callerKey } from "./caller.js";
import type { Limits } from "./limits.js";
import {
  capabilities,
  count,
  duration,
  id,
  ids,
  optionalId,
  selector,
  sessionStatuses,
  states,
  Violations,
} from "./validation/index.js";
import { toAgent, toAgentState, toSession, toStateEvent, toTask } from "./wire/index.js";

export interface WatchHandlers {
  watchState(request: WatchStateRequest, context: HandlerContext): PushStream<WatchStateResponse>;
  watchSessions(request: WatchSessionsRequest, context: HandlerContext): PushStream<WatchSessionsResponse>;
  watchTasks(request: WatchTasksRequest, context: HandlerContext): PushStream<WatchTasksResponse>;
  waitForState(request: WaitForStateRequest, context: HandlerContext): Promise<WaitForStateResponse>;
}

/** A wait ends a little before its call does, so that the answer, with the last known state, still reaches the caller. */
const ANSWER_SHARE = 0.1;
const MAX_ANSWER_MS = 50;

export function createWatchHandlers(deps: {
  readonly storage: Pick<Storage, "getState" | "readHistory">;
  readonly hub: WatchHub;
  readonly limits: Limits;
}): WatchHandlers {
  const { storage, hub, limits } = deps;
  const agents = hub.topic({ ...agentTopic, present: presentStates });
  const sessions = hub.topic({ ...sessionTopic, present: presentSessions });
  const tasks = hub.topic({ ...taskTopic, present: presentTasks });
  return {
    watchState(request, context) {
      const { namespace } = context.values.get(callerKey);
      const bad = new Violations();
      const filter = {
        namespace,
        agentIds: ids(bad, "agent_ids", request.agentIds, limits.watchedIds),
        selector: selector(bad, "label_selector", request.labelSelector),
        capabilities: capabilities(bad, "capabilities", request.capabilities, limits.capabilities),
        states: states(bad, "states", request.states),
      };
      const start = readStart(bad, request, limits);
      bad.throwIfAny();
      return new PushStream(agents.watch(new AgentFilter(filter), start), () => context.signal);
    },

    watchSessions(request, context) {
      const { namespace } = context.values.get(callerKey);
      const bad = new Violations();
      const filter = {
        namespace,
        sessionIds: ids(bad, "session_ids", request.sessionIds, limits.watchedIds),
        agentIds: ids(bad, "agent_ids", request.agentIds, limits.watchedIds),
        statuses: sessionStatuses(bad, "statuses", request.statuses),
      };
      const start = readStart(bad, request, limits);
      bad.throwIfAny();
      return new PushStream(sessions.watch(new SessionFilter(filter), start), () => context.signal);
    },

    watchTasks(request, context) {
      const { namespace } = context.values.get(callerKey);
      const bad = new Violations();
      const filter = {
        namespace,
        agentId: optionalId(bad, "agent_id", request.agentId),
        agentIncarnation: count(bad, "agent_incarnation", request.agentIncarnation),
        sessionIds: ids(bad, "session_ids", request.sessionIds, limits.watchedIds),
      };
      if (filter.agentId === "" && filter.agentIncarnation !== 0)
        bad.add("agent_id", "must be set with agent_incarnation");
      const start = readStart(bad, request, limits);
      bad.throwIfAny();
      return new PushStream(tasks.watch(new TaskFilter(filter), start), () => context.signal);
    },

    async waitForState(request, context) {
      const wait = readWait(request, context);
      const { outcome, state } = await waitForState(hub, storage, wait);
      return { $typeName: "opscore.v1.WaitForStateResponse", outcome, state: toAgentState(state) };
    },
  };
}

function readStart(
  bad: Violations,
  request: Pick<WatchStateRequest, "includeSnapshot" | "resumeToken" | "progressInterval">,
  { minProgressMs, maxProgressMs, defaultProgressMs }: Limits,
): WatchRequest {
  const { includeSnapshot, resumeToken, progressInterval } = request;
  const interval = duration(bad, "progress_interval", progressInterval, minProgressMs, maxProgressMs);
  return { includeSnapshot, resumeToken, progressIntervalMs: interval ?? defaultProgressMs };
}

function readWait(request: WaitForStateRequest, context: HandlerContext): WaitRequest {
  const bad = new Violations();
  if (request.states.length === 0) bad.add("states", "must name at least one state");
  const wait = {
    namespace: context.values.get(callerKey).namespace,
    agentId: id(bad, "agent_id", request.agentId),
    states: states(bad, "states", request.states),
    failStates: states(bad, "fail_states", request.failStates),
    failOnLost: request.failOnLost,
    afterRevision:
      request.afterRevision === undefined ? undefined : count(bad, "after_revision", request.afterRevision),
    timeoutMs: shortest(
      duration(bad, "timeout", request.timeout, 0, Number.MAX_SAFE_INTEGER),
      answerTime(context.timeoutMs()),
    ),
    signal: context.signal,
  };
  bad.throwIfAny();
  return wait;
}

function answerTime(deadlineMs: number | undefined): number | undefined {
  return deadlineMs === undefined
    ? undefined
    : Math.max(0, deadlineMs - Math.min(MAX_ANSWER_MS, deadlineMs * ANSWER_SHARE));
}

function shortest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function presentStates({ kind, events, items, resumeToken }: BatchContent<AgentEvent, Agent>): WatchStateResponse {
  return {
    $typeName: "opscore.v1.WatchStateResponse",
    kind: kind,
    events: events.map(({ type, state, previous, agent }) =>
      toStateEvent(type, state, previous, agent === undefined ? undefined : toAgent(agent)),
    ),
    states: items.map(({ state }) => toAgentState(state)),
    resumeToken,
  };
}

function presentSessions(content: BatchContent<SessionEvent, SessionRecord>): WatchSessionsResponse {
  return {
    $typeName: "opscore.v1.WatchSessionsResponse",
    kind: content.kind,
    events: content.events.map(({ type, session, previousStatus = 0 }) => ({
      $typeName: "opscore.v1.SessionEvent",
      type: type,
      session: toSession(session),
      previousStatus,
    })),
    sessions: content.items.map(toSession),
    resumeToken: content.resumeToken,
  };
}

function presentTasks(content: BatchContent<TaskEvent, TaskRecord>): WatchTasksResponse {
  return {
    $typeName: "opscore.v1.WatchTasksResponse",
    kind: content.kind,
    events: content.events.map(({ task, previousStatus = 0 }) => ({
      $typeName: "opscore.v1.TaskEvent",
      task: toTask(task),
      previousStatus,
    })),
    tasks: content.items.map(toTask),
    resumeToken: content.resumeToken,
  };
}
