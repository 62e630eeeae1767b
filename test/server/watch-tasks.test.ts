/** WatchTasks on a real server: an agent's supply of work over the protocols, with what becomes of it, and the way back after a cut. */
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { onTestFinished, describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { TaskService, TaskStatus, type WatchTasksResponse } from "../../gen/opscore/v1/task_service_pb.js";
import { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { State } from "../../src/storage/records.js";
import { aRegistration } from "../helpers/records.js";
import { aFailure, aLease, aRun, aTask } from "../helpers/tasks.js";
import { startServer } from "../helpers/server.js";
import { failureFromConnect, rejection } from "../transport/harness.js";

const TRANSPORTS: Record<string, (baseUrl: string) => Transport> = {
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
};

type Fields = Parameters<ReturnType<typeof createClient<typeof TaskService>>["watchTasks"]>[0];

/** A server whose tasks nobody leases but the test: its agents are ACTIVE, with something else as far as the scheduler knows. */
async function setUp(transportFor: (baseUrl: string) => Transport) {
  const storage = createMemoryStorage();
  onTestFinished(() => storage.close());
  for (const agentId of ["a", "b"]) storage.registerAgent(aRegistration(agentId, { initialState: State.ACTIVE }));
  const { url } = await startServer({}, { storage });
  const transport = transportFor(url);
  const tasks = createClient(TaskService, transport);
  const watch = (request: Fields, namespace = "default") => {
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const headers = { "opscore-namespace": namespace };
    const stream = tasks.watchTasks(request, { signal: stop.signal, headers })[Symbol.asyncIterator]();
    const next = async (): Promise<WatchTasksResponse> => {
      const result = await stream.next();
      if (result.done === true) throw new Error("the watch has ended");
      return result.value;
    };
    return { next, stop: () => stop.abort() };
  };
  return { storage, tasks, transport, watch };
}

function describeEvents({ events }: WatchTasksResponse): string[] {
  const name = (status: TaskStatus) => TaskStatus[status];
  return events.map(
    ({ task, previousStatus }) =>
      `${task?.sessionId}/${task?.taskId}: ${name(previousStatus)}>${name(task?.status ?? 0)}`,
  );
}

describe.each(Object.entries(TRANSPORTS))("WatchTasks over %s", (_, transportFor) => {
  it("brings an agent its tasks whole, and what becomes of them", async () => {
    const { storage, tasks, transport, watch } = await setUp(transportFor);
    const { next } = watch({ agentId: "a", includeSnapshot: true });
    expect(await next()).toMatchObject({ kind: WatchKind.SYNCED, events: [], tasks: [] });

    const parameters = { file: "a.txt", deep: { list: [1, "x", null] } };
    storage.startSession(aRun([aTask("t", { parameters, capability: "build", priority: 3 }), aTask("u"), aTask("v")]));
    storage.leaseTask(aLease("v", 1, { agentId: "b" }));
    const leased = storage.leaseTask(aLease("t"));
    const message = await next();
    expect(message).toMatchObject({ kind: WatchKind.EVENTS, tasks: [] });
    expect(describeEvents(message)).toEqual(["s/t: READY>LEASED"]);
    const seconds = (ms: number | undefined) => BigInt(Math.floor((ms ?? NaN) / 1_000));
    expect(message.events[0]?.task).toMatchObject({
      sessionId: "s",
      taskId: "t",
      status: TaskStatus.LEASED,
      agentId: "a",
      agentIncarnation: 1n,
      agentCapability: "build",
      priority: 3,
      parameters,
      attempt: 1,
      attemptsLeft: 2,
      timeout: { seconds: 60n, nanos: 0 },
      leaseExpireTime: { seconds: seconds(leased.leaseExpireTime) },
      deadline: { seconds: seconds(leased.deadline) },
      revision: BigInt(leased.revision),
    });

    await tasks.completeTask({ sessionId: "s", taskId: "t", attempt: 1, result: { ok: true } });
    const done = await next();
    expect(describeEvents(done)).toEqual(["s/t: LEASED>COMPLETED"]);
    expect(done.events[0]?.task?.result).toEqual({ ok: true });

    storage.leaseTask(aLease("u"));
    expect(describeEvents(await next())).toEqual(["s/u: READY>LEASED"]);
    await createClient(WorkflowService, transport).cancelWorkflow({ sessionId: "s", message: "enough" });
    expect(describeEvents(await next())).toEqual(["s/u: LEASED>CANCELLED"]);
    const { session } = await createClient(SessionService, transport).getSession({ sessionId: "s" });
    expect(session).toMatchObject({ error: "enough" });
  });

  it("brings what was missed after a cut, from the last token, and no more", async () => {
    const { storage, watch } = await setUp(transportFor);
    storage.startSession(aRun([aTask("t"), aTask("u")]));
    storage.leaseTask(aLease("t"));
    const first = watch({ agentId: "a", includeSnapshot: true });
    const snapshot = await first.next();
    expect(snapshot).toMatchObject({ kind: WatchKind.SNAPSHOT, resumeToken: "", tasks: [{ taskId: "t", attempt: 1 }] });
    const { resumeToken } = await first.next();
    first.stop();
    storage.failTask(aFailure("t"));
    storage.leaseTask(aLease("t", 2, { agentId: "b" }));
    storage.leaseTask(aLease("u"));
    const second = watch({ agentId: "a", includeSnapshot: true, resumeToken });
    const missed = await second.next();
    expect(missed.kind).toBe(WatchKind.EVENTS);
    expect(describeEvents(missed)).toEqual(["s/t: LEASED>READY", "s/u: READY>LEASED"]);
    expect(await second.next()).toMatchObject({ kind: WatchKind.SYNCED, tasks: [] });
  });

  it("shows sessions, or everything, from the creation of their tasks on; namespaces apart", async () => {
    const { storage, watch } = await setUp(transportFor);
    const watches = [watch({ sessionIds: ["s"] }), watch({}), watch({}, "elsewhere")];
    for (const { next } of watches) expect((await next()).kind).toBe(WatchKind.SYNCED);
    storage.startSession(aRun([aTask("t")], { namespace: "elsewhere" }));
    storage.startSession(aRun([aTask("t")], { sessionId: "other" }));
    storage.startSession(aRun([aTask("t")]));
    const [session, all, elsewhere] = await Promise.all(watches.map(({ next }) => next()));
    expect(session === undefined ? [] : describeEvents(session)).toEqual(["s/t: UNSPECIFIED>READY"]);
    expect(all === undefined ? [] : describeEvents(all)).toEqual([
      "other/t: UNSPECIFIED>READY",
      "s/t: UNSPECIFIED>READY",
    ]);
    expect(elsewhere === undefined ? [] : describeEvents(elsewhere)).toEqual(["s/t: UNSPECIFIED>READY"]);
  });

  it("refuses a token of another filter, and what is no filter", async () => {
    const { watch } = await setUp(transportFor);
    const { resumeToken } = await watch({ agentId: "a" }).next();
    const stranger = failureFromConnect(await rejection(watch({ agentId: "b", resumeToken }).next()));
    expect(stranger.code).toBe("INVALID_ARGUMENT");
    expect(stranger.details(ErrorInfoSchema)).toMatchObject([{ reason: "INVALID_RESUME_TOKEN" }]);
    const bad = failureFromConnect(await rejection(watch({ agentId: "a b", sessionIds: ["s", "ö"] }).next()));
    const [violations] = bad.details(BadRequestSchema);
    expect(violations?.fieldViolations.map(({ field }) => field)).toEqual(["agent_id", "session_ids[1]"]);
  });
});
