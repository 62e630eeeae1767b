/** Every method once through Connect's router, so that what the services make really is a message in both formats. */
import { Code, ConnectError } from "@connectrpc/connect";
import { beforeEach, describe, expect, test } from "vitest";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.js";
import { Liveness, State } from "../../gen/opscore/v1/common_pb.js";
import { SessionStatus } from "../../gen/opscore/v1/session_service_pb.js";
import { StateEvent_Type } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskStatus } from "../../gen/opscore/v1/task_service_pb.js";
import { createHarness, createRoutedClients, lease, type Clients, type Harness } from "./harness.js";

describe.each(["binary", "json"] as const)("through the router, as %s", (format) => {
  let h: Harness;
  let routed: Clients;
  beforeEach(() => {
    h = createHarness();
    routed = createRoutedClients(h, format);
  });

  test("AgentService", async () => {
    const { agents } = routed;
    const { agent } = await agents.registerAgent({
      agentId: "a",
      displayName: "Agent ✓",
      capabilities: ["x"],
      labels: { env: "prod" },
      metadata: { deep: [{ n: 1.5, z: null, b: true, s: "é" }] },
      leaseTtl: { seconds: 30n },
      initialState: State.IDLE,
    });
    expect(agent).toMatchObject({
      metadata: { deep: [{ n: 1.5, z: null, b: true, s: "é" }] },
      leaseTtl: { seconds: 30n },
      incarnation: 1n,
      state: { state: State.IDLE, liveness: Liveness.ALIVE, actor: "anonymous" },
    });
    expect((await agents.getAgent({ agentId: "a" })).agent).toEqual(agent);
    expect((await agents.listAgents({ labelSelector: "env=prod" })).agents).toEqual([agent]);
    expect((await agents.heartbeat({ agentId: "a" })).lease).toMatchObject({ remaining: { seconds: 30n } });
    const updated = await agents.updateAgent({
      agent: { agentId: "a" },
      updateMask: { paths: ["display_name", "contact_endpoint"] },
    });
    expect(updated.agent?.displayName).toBe("");
    expect((await agents.confirmExpiry({})).lostCount).toBe(0);
    expect((await agents.deregisterAgent({ agentId: "a" })).agent?.agentId).toBe("a");
  });

  test("StateService", async () => {
    const { agents, states } = routed;
    await agents.registerAgent({ agentId: "a" });
    const { state, changed } = await states.setState({
      agentId: "a",
      state: State.ACTIVE,
      details: { a: { b: [] } },
      sequence: 9_007_199_254_740_991n,
      reportTime: { seconds: 1n, nanos: 500_000_000 },
    });
    expect(changed).toBe(true);
    expect(state).toMatchObject({
      details: { a: { b: [] } },
      sequence: 9_007_199_254_740_991n,
      reportTime: { nanos: 500_000_000 },
    });
    expect((await states.getState({ agentId: "a" })).state).toEqual(state);
    const { events } = await states.getStateHistory({ agentId: "a" });
    expect(events.map(({ type }) => type)).toEqual([StateEvent_Type.REGISTERED, StateEvent_Type.TRANSITION]);
    expect(events[1]).toMatchObject({ state, previous: events[0]?.state });
  });

  test("ReportStates", async () => {
    await routed.agents.registerAgent({ agentId: "a" });
    const reports = async function* () {
      await Promise.resolve();
      yield { report: { agentId: "a", state: State.FINISHED } };
      yield { report: { agentId: "a", state: State.IDLE } };
      yield {};
    };
    const answers = [];
    for await (const { index, result } of routed.states.reportStates(reports())) answers.push([index, result.case]);
    expect(answers).toEqual([
      [0n, "accepted"],
      [1n, "failed"],
      [2n, "failed"],
    ]);
  });

  test("SessionService", async () => {
    const { agents, sessions } = routed;
    await agents.registerAgent({ agentId: "a" });
    const { session } = await sessions.startSession({ sessionId: "s", agentId: "a", metadata: { k: 1 } });
    expect((await sessions.getSession({ sessionId: "s" })).session).toEqual(session);
    const updated = await sessions.updateSession({
      session: { sessionId: "s", status: SessionStatus.COMPLETED, result: { ok: true } },
      updateMask: { paths: ["status", "result", "metadata"] },
    });
    expect(updated.session).toMatchObject({ status: SessionStatus.COMPLETED, result: { ok: true } });
    expect(updated.session?.metadata).toBeUndefined();
    expect((await sessions.listSessions({})).sessions).toEqual([updated.session]);
  });

  test("WorkflowService and TaskService", async () => {
    const { agents, sessions, workflows, tasks } = routed;
    await agents.registerAgent({ agentId: "a", initialState: State.IDLE });
    const { workflow, created } = await workflows.putWorkflow({
      workflow: {
        workflowId: "w",
        tasks: [
          { taskId: "one", parameters: { n: 1.5 }, timeout: { seconds: 9n }, retry: { multiplier: 1.5 }, priority: -1 },
          { taskId: "two", dependsOn: ["one"], startDelay: { nanos: 1_000_000 } },
        ],
      },
    });
    expect(created).toBe(true);
    expect((await workflows.getWorkflow({ workflowId: "w" })).workflow).toEqual(workflow);
    expect((await workflows.listWorkflows({})).workflows).toEqual([workflow]);
    const { session } = await workflows.triggerWorkflow({
      target: { case: "agentId", value: "a" },
      definition: { case: "workflowId", value: "w" },
      initialPayload: { go: [true] },
    });
    const { sessionId = "" } = session ?? {};
    const one = { sessionId, taskId: "one" };
    await lease(h, { ...one, agentId: "a" });
    expect((await tasks.renewTask({ ...one, attempt: 1 })).ttl).toMatchObject({ seconds: 9n });
    expect((await tasks.failTask({ ...one, attempt: 1, permanent: true, error: "é" })).task).toMatchObject({
      error: "é",
    });
    expect((await tasks.retryTask(one)).task).toMatchObject({ status: TaskStatus.READY });
    await lease(h, { ...one, agentId: "a" });
    const { task } = await tasks.completeTask({ ...one, attempt: 2, result: { deep: [{ z: null }] } });
    expect(task).toMatchObject({ parameters: { go: [true] }, result: { deep: [{ z: null }] }, attempt: 2 });
    expect((await tasks.getTask(one)).task).toEqual(task);
    expect((await tasks.cancelTask({ sessionId, taskId: "two", message: "no" })).task).toMatchObject({ error: "no" });
    expect((await tasks.listTasks({ statuses: [TaskStatus.COMPLETED] })).tasks).toEqual([task]);
    expect((await sessions.getSession({ sessionId })).session?.status).toBe(SessionStatus.CANCELLED);
    const another = await workflows.triggerWorkflow({
      target: { case: "capability", value: "c" },
      definition: { case: "workflow", value: { tasks: [{ taskId: "t" }] } },
    });
    const cancelled = await workflows.cancelWorkflow({ sessionId: another.session?.sessionId ?? "" });
    expect(cancelled.session?.status).toBe(SessionStatus.CANCELLED);
    expect((await workflows.deleteWorkflow({ workflowId: "w" })).workflow).toEqual(workflow);
  });

  test("a failure names each bad field", async () => {
    const error = ConnectError.from(
      await routed.states.setState({ agentId: "a b", details: { n: 1 }, sequence: -1n }).catch((e: unknown) => e),
    );
    expect(error.code).toBe(Code.InvalidArgument);
    const fields = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
    expect(fields.map(({ field }) => field)).toEqual(["agent_id", "state", "sequence"]);
    expect(h.defects).toEqual([]);
  });

  test("keys that mean something to JavaScript mean nothing", async () => {
    const hostile = JSON.parse(
      '{"constructor":{"prototype":{"admin":true}},"toString":1,"a":{"__proto__":{"x":1}}}',
    ) as object;
    const { agent } = await routed.agents.registerAgent({
      agentId: "a",
      labels: { constructor: "1", hasOwnProperty: "2" },
      metadata: hostile as never,
    });
    expect(agent?.labels).toEqual({ constructor: "1", hasOwnProperty: "2" });
    // The format's own reader drops `__proto__`; everything else is plain data.
    expect(JSON.stringify(agent?.metadata)).toBe('{"constructor":{"prototype":{"admin":true}},"toString":1,"a":{}}');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    const { agents } = await routed.agents.listAgents({ labelSelector: "constructor=1,!valueOf" });
    expect(agents).toHaveLength(1);
  });
});
