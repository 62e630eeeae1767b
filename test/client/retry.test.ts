/** Which calls are made again when they fail, and when. */
import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import type { OpsCoreClient } from "../../src/client/index.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";
import { HastyScheduler } from "./helpers/fake-scheduler.js";
import { clientOf, failing, type Routes } from "./helpers/routes.js";

const SERVICES = [AgentService, StateService, SessionService, WorkflowService, TaskService];

const away = failure("STORAGE_UNAVAILABLE");

describe("what is tried again", () => {
  /** Each method of the API, how it is called, and whether a second call may follow a failed one. */
  const METHODS: readonly (readonly [string, boolean, (client: OpsCoreClient) => Promise<unknown>])[] = [
    ["RegisterAgent", true, ({ agents }) => agents.registerAgent({})],
    ["DeregisterAgent", false, ({ agents }) => agents.deregisterAgent({})],
    ["GetAgent", true, ({ agents }) => agents.getAgent({})],
    ["ListAgents", true, ({ agents }) => agents.listAgents({})],
    ["UpdateAgent", true, ({ agents }) => agents.updateAgent({})],
    ["Heartbeat", true, ({ agents }) => agents.heartbeat({})],
    ["ConfirmExpiry", false, ({ agents }) => agents.confirmExpiry({})],
    ["SetState", true, ({ states }) => states.setState({})],
    ["GetState", true, ({ states }) => states.getState({})],
    ["GetStateHistory", true, ({ states }) => states.getStateHistory({})],
    ["WaitForState", true, ({ states }) => states.waitForState({})],
    ["StartSession", true, ({ sessions }) => sessions.startSession({})],
    ["GetSession", true, ({ sessions }) => sessions.getSession({})],
    ["UpdateSession", true, ({ sessions }) => sessions.updateSession({})],
    ["ListSessions", true, ({ sessions }) => sessions.listSessions({})],
    ["PutWorkflow", false, ({ workflows }) => workflows.putWorkflow({})],
    ["GetWorkflow", true, ({ workflows }) => workflows.getWorkflow({})],
    ["ListWorkflows", true, ({ workflows }) => workflows.listWorkflows({})],
    ["DeleteWorkflow", false, ({ workflows }) => workflows.deleteWorkflow({})],
    ["TriggerWorkflow", true, ({ workflows }) => workflows.triggerWorkflow({})],
    ["CancelWorkflow", false, ({ workflows }) => workflows.cancelWorkflow({})],
    ["RenewTask", true, ({ tasks }) => tasks.renewTask({})],
    ["CompleteTask", true, ({ tasks }) => tasks.completeTask({})],
    ["FailTask", true, ({ tasks }) => tasks.failTask({})],
    ["CancelTask", false, ({ tasks }) => tasks.cancelTask({})],
    ["RetryTask", false, ({ tasks }) => tasks.retryTask({})],
    ["GetTask", true, ({ tasks }) => tasks.getTask({})],
    ["ListTasks", true, ({ tasks }) => tasks.listTasks({})],
  ];

  test("every unary method is in the table", () => {
    const methods = SERVICES.flatMap(({ methods }) => methods);
    const unary = methods.filter(({ methodKind }) => methodKind === "unary").map(({ name }) => name);
    expect(METHODS.map(([name]) => name)).toEqual(unary);
  });

  /** Answers every method in the same way. */
  function everywhere(handler: () => object): Routes {
    const all = (methods: readonly { readonly localName: string; readonly methodKind: string }[]) =>
      Object.fromEntries(
        methods.filter(({ methodKind }) => methodKind === "unary").map(({ localName }) => [localName, handler]),
      );
    return {
      agents: all(AgentService.methods),
      states: all(StateService.methods),
      sessions: all(SessionService.methods),
      workflows: all(WorkflowService.methods),
      tasks: all(TaskService.methods),
    };
  }

  test.each(METHODS)("%s after UNAVAILABLE: %s", async (_, repeatable, call) => {
    const handler = failing([away, away]);
    const attempts: unknown[] = [];
    const client = clientOf(
      everywhere(() => {
        attempts.push(1);
        return handler(undefined);
      }),
    );
    if (repeatable) await call(client);
    else expect((await rejection(call(client))).code).toBe(Code.Unavailable);
    expect(attempts).toHaveLength(repeatable ? 3 : 1);
  });

  test.each([
    ["STORAGE_UNAVAILABLE", true, away],
    ["SERVER_STOPPING", true, failure("SERVER_STOPPING")],
    ["TOO_MANY with a time to come back", true, failure("TOO_MANY", { retryAfterMs: 10 })],
    ["TOO_MANY without", false, failure("TOO_MANY")],
    ["TOO_LARGE", false, failure("TOO_LARGE")],
    ["INVALID_FIELD", false, failure("INVALID_FIELD")],
    ["CREDENTIALS_INVALID", false, failure("CREDENTIALS_INVALID")],
    ["AGENT_NOT_FOUND", false, failure("AGENT_NOT_FOUND")],
    ["ILLEGAL_TRANSITION", false, failure("ILLEGAL_TRANSITION")],
    ["STALE_SEQUENCE", false, failure("STALE_SEQUENCE")],
    ["INTERNAL", false, failure("INTERNAL")],
    ["a proxy's UNAVAILABLE", true, foreignFailure(Code.Unavailable)],
    ["a stream reset by the peer", true, foreignFailure(Code.Canceled)],
    ["a proxy's INTERNAL", false, foreignFailure(Code.Internal)],
    ["a proxy's DEADLINE_EXCEEDED", false, foreignFailure(Code.DeadlineExceeded)],
  ])("%s: %s", async (_, again, thrown) => {
    const seen: unknown[] = [];
    const client = clientOf({ states: { getState: failing([thrown], seen) } });
    await client.states.getState({ agentId: "a" }).catch(() => undefined);
    expect(seen).toHaveLength(again ? 2 : 1);
  });

  test("no more often than allowed, and then the last failure is the caller's", async () => {
    const seen: unknown[] = [];
    const failures = [away, away, failure("SERVER_STOPPING"), away];
    const client = clientOf({ states: { getState: failing(failures, seen) } }, { retry: { maxAttempts: 3 } });
    expect((await rejection(client.states.getState({}))).rawMessage).toBe("it is SERVER_STOPPING");
    expect(seen).toHaveLength(3);
  });

  test("nothing, when retries are turned off", async () => {
    const seen: unknown[] = [];
    const client = clientOf({ states: { getState: failing([away], seen) } }, { retry: { maxAttempts: 1 } });
    await rejection(client.states.getState({}));
    expect(seen).toHaveLength(1);
  });
});

describe("how long it waits", () => {
  async function waits(failures: readonly ConnectError[], chance: number, retry = {}): Promise<readonly number[]> {
    const scheduler = new HastyScheduler();
    scheduler.chance = chance;
    const client = clientOf({ states: { getState: failing(failures) } }, { scheduler, retry, defaultTimeoutMs: 0 });
    await client.states.getState({});
    return scheduler.waits;
  }

  test("a bound that doubles up to its limit", async () => {
    const many = Array<ConnectError>(9).fill(away);
    const retry = { maxAttempts: 10 };
    expect(await waits(many, 1, retry)).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  });

  test("anything between nothing and the bound", async () => {
    expect(await waits([away, away], 0)).toEqual([0, 0]);
    expect(await waits([away, away], 0.25)).toEqual([25, 50]);
  });

  test("what the server asked for, and the jitter on top", async () => {
    const asked = failure("TOO_MANY", { retryAfterMs: 1_000 });
    expect(await waits([asked, away], 0.5)).toEqual([1_050, 100]);
  });

  test("options change it", async () => {
    const retry = { initialBackoffMs: 10, multiplier: 10, maxBackoffMs: 500, maxAttempts: 4 };
    expect(await waits([away, away, away], 1, retry)).toEqual([10, 100, 500]);
  });

  test.each([
    ["maxAttempts", { maxAttempts: 0 }],
    ["initialBackoffMs", { initialBackoffMs: -1 }],
    ["maxBackoffMs", { maxBackoffMs: Number.NaN }],
    ["multiplier", { multiplier: 0.5 }],
  ])("%s out of bounds is refused by name", (name, retry) => {
    expect(() => clientOf({}, { retry })).toThrow(new RegExp(`^retry\\.${name} `));
  });
});
