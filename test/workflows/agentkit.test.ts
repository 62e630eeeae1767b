/**
 * The whole way, over real connections and without a pause: agents register with AgentKit, which announces them; a workflow is
 * triggered over plain HTTP; its tasks reach the agents through AgentKit, one after the other; the agents' own reports are the answers;
 * the session completes. All of it is seen on two streams.
 */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { State, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { SessionService, SessionStatus, type Session } from "../../gen/opscore/v1/session_service_pb.js";
import { StateEvent_Type, StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskService, TaskStatus } from "../../gen/opscore/v1/task_service_pb.js";
import type { Config } from "../../src/config/index.js";
import { HABITS, SimulatedAgentKit } from "../helpers/agentkit.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { freshPrefix } from "../helpers/redis-storage.js";
import { startServer } from "../helpers/server.js";
import { send } from "../transport/http/harness.js";

const SECRET = "a shared secret";
const AGENTS = Array.from({ length: 100 }, (_, index) => ({
  agentId: `agent-${index}`,
  habit: HABITS[index % HABITS.length] ?? "plain",
}));
const DEFINITION = {
  id: "two-steps",
  name: "Two steps",
  tasks: [
    { taskId: "first", name: "The first", agentCapability: "work", parameters: { n: 1 }, nextTaskId: "second" },
    { taskId: "second", name: "The second", agentCapability: "work", parameters: { n: 2 }, nextTaskId: null },
  ],
};

let redis: RedisProcess;
beforeAll(async () => {
  redis = await RedisProcess.start();
});
afterAll(() => redis.remove());

const storages: readonly { readonly name: string; readonly settings: () => Partial<Config> }[] = [
  { name: "memory", settings: () => ({}) },
  { name: "Redis", settings: () => ({ storageType: "redis", redisUrl: redis.url, redisPrefix: freshPrefix() }) },
];

describe.each(storages)("AgentKit's agents over $name", ({ settings }) => {
  it("run a workflow each, a hundred at once, in whichever way they report", async () => {
    const kit = await SimulatedAgentKit.start(SECRET);
    onTestFinished(() => kit.close());
    const { url } = await startServer({
      logLevel: "warn",
      webhookSecret: SECRET,
      agentKitUrl: kit.url,
      ...settings(),
    });
    kit.connect(url);
    const transport = createGrpcTransport({ baseUrl: url });
    const stop = new AbortController();
    onTestFinished(() => stop.abort());

    const seen = new Map<string, string[]>();
    const watching = watchStates(transport, stop.signal, seen);
    const ended = untilEnded(transport, AGENTS.length, stop.signal);
    await Promise.all([watching.synced, ended.synced]);

    await Promise.all(AGENTS.map(({ agentId, habit }) => kit.register(agentId, habit)));
    const sessions = await Promise.all(AGENTS.map(({ agentId }) => trigger(url, agentId)));
    const sessionsById = await ended.sessions;

    for (const { sessionId, agentId } of sessions) {
      expect(sessionsById.get(sessionId)).toMatchObject({ agentId, status: SessionStatus.COMPLETED, error: "" });
    }
    const tasks = createClient(TaskService, transport);
    for (const { sessionId, agentId } of sessions) {
      const listed = await tasks.listTasks({ sessionId });
      expect(listed.tasks.map(({ taskId, status, attempt, agentId: by }) => [taskId, status, attempt, by])).toEqual([
        ["first", TaskStatus.COMPLETED, 1, agentId],
        ["second", TaskStatus.COMPLETED, 1, agentId],
      ]);
    }
    expect(kit.failures).toEqual([]);
    expect(kit.messages.length).toBe(2 * AGENTS.length);
    await watching.until(() => [...seen.values()].every((states) => states.length >= 6));
    for (const { agentId } of AGENTS) {
      expect([agentId, ...(seen.get(agentId) ?? [])]).toEqual([
        ...[agentId, "REGISTERED UNKNOWN", "TRANSITION IDLE"],
        ...["TRANSITION ACTIVE", "TRANSITION IDLE", "TRANSITION ACTIVE", "TRANSITION IDLE"],
      ]);
    }
  });
});

async function trigger(url: string, agentId: string): Promise<{ sessionId: string; agentId: string }> {
  const body = { workflowDefinition: DEFINITION, initialPayload: { topic: agentId } };
  const { status, text } = await send(url, `/v1/opscore/agent/${agentId}/workflow`, { body });
  expect([status, text]).toEqual([202, expect.stringContaining("Workflow triggered successfully")]);
  const { sessionId } = JSON.parse(text) as { sessionId: string };
  return { sessionId, agentId };
}

/** A promise that is settled from outside. */
class Signal {
  resolve: () => void = () => undefined;
  reject: (thrown: unknown) => void = () => undefined;
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

type Transport = ReturnType<typeof createGrpcTransport>;

/** Notes what becomes of every agent, in order. */
function watchStates(transport: Transport, signal: AbortSignal, seen: Map<string, string[]>) {
  const states = createClient(StateService, transport);
  const synced = new Signal();
  let check: (() => void) | undefined;
  const read = async (): Promise<void> => {
    for await (const { kind, events } of states.watchState({}, { signal })) {
      if (kind === WatchKind.SYNCED) synced.resolve();
      for (const { type, state } of events) {
        const agentId = state?.agentId ?? "";
        const line = `${StateEvent_Type[type]} ${State[state?.state ?? State.UNSPECIFIED]}`;
        seen.set(agentId, [...(seen.get(agentId) ?? []), line]);
      }
      check?.();
    }
  };
  read().catch((thrown: unknown) => synced.reject(thrown));
  const until = (isDone: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      check = () => {
        if (isDone()) resolve();
      };
      check();
    });
  return { synced: synced.promise, until };
}

/** Collects sessions as they end. */
function untilEnded(transport: Transport, count: number, signal: AbortSignal) {
  const client = createClient(SessionService, transport);
  const synced = new Signal();
  const ended = new Map<string, Session>();
  const read = async (): Promise<Map<string, Session>> => {
    for await (const { kind, events } of client.watchSessions({}, { signal })) {
      if (kind === WatchKind.SYNCED) synced.resolve();
      for (const { session } of events) {
        if (session?.endTime !== undefined) ended.set(session.sessionId, session);
      }
      if (ended.size >= count) return ended;
    }
    return ended;
  };
  return { synced: synced.promise, sessions: read() };
}
