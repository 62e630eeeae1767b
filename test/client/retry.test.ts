import type { ConnectError } from "@connectrpc/connect";
import { Code, createRouterTransport, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { SetStateRequestSchema, StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import { createOpsCoreClient, type OpsCoreClient, type OpsCoreClientOptions } from "../../src/client/index.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";
import { FakeScheduler, HastyScheduler } from "./helpers/fake-scheduler.js";

const SERVICES = [AgentService, StateService, SessionService, WorkflowService, TaskService];

interface Routes {
  readonly agents?: Partial<ServiceImpl<typeof AgentService>>;
  readonly states?: Partial<ServiceImpl<typeof StateService>>;
  readonly sessions?: Partial<ServiceImpl<typeof SessionService>>;
  readonly workflows?: Partial<ServiceImpl<typeof WorkflowService>>;
  readonly tasks?: Partial<ServiceImpl<typeof TaskService>>;
}

function clientOf(routes: Routes, options: Partial<OpsCoreClientOptions> = {}): OpsCoreClient {
  const transport = createRouterTransport((router) => {
    router.service(AgentService, routes.agents ?? {});
    router.service(StateService, routes.states ?? {});
    router.service(SessionService, routes.sessions ?? {});
    router.service(WorkflowService, routes.workflows ?? {});
    router.service(TaskService, routes.tasks ?? {});
  });
  return createOpsCoreClient({ baseUrl: "http://unused", transport, scheduler: new HastyScheduler(), ...options });
}

/** A handler that fails as often as it is given failures, then answers. */
function failing<Request>(failures: readonly ConnectError[], seen: Request[] = []) {
  return (request: Request) => {
    const next = failures[seen.length];
    seen.push(request);
    if (next !== undefined) throw next;
    return {};
  };
}

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

describe("deadlines", () => {
  /** The deadline that each attempt brought to the server, in milliseconds. */
  function deadlines(failures: readonly ConnectError[], options: Partial<OpsCoreClientOptions> = {}) {
    const seen: (number | undefined)[] = [];
    const answer = (_: unknown, context: HandlerContext) => {
      seen.push(context.timeoutMs());
      const next = failures[seen.length - 1];
      if (next !== undefined) throw next;
      return {};
    };
    const client = clientOf({ states: { getState: answer, setState: answer, waitForState: answer } }, options);
    return { client, seen };
  }

  /** What is left of a deadline when it reaches the handler: all of it but for the time that the test took. */
  const about = (ms: number): unknown => expect.toSatisfy((left: number) => left <= ms && left > ms - 1_000);

  test("a call without one has the default", async () => {
    const { client, seen } = deadlines([]);
    await client.states.getState({});
    expect(seen).toEqual([about(10_000)]);
  });

  test("the default can be changed, and turned off", async () => {
    const changed = deadlines([], { defaultTimeoutMs: 3_000 });
    await changed.client.states.getState({});
    expect(changed.seen).toEqual([about(3_000)]);
    const off = deadlines([], { defaultTimeoutMs: 0 });
    await off.client.states.getState({});
    expect(off.seen).toEqual([undefined]);
    expect(() => clientOf({}, { defaultTimeoutMs: -1 })).toThrow(RangeError);
  });

  test("a report has as much longer as it may be held", async () => {
    const { client, seen } = deadlines([]);
    await client.states.setState({});
    await client.states.setState({ waitForRegistration: durationFromMs(60_000) });
    await client.states.setState({ waitForRegistration: durationFromMs(0) });
    expect(seen).toEqual([about(15_000), about(70_000), about(10_000)]);
  });

  test("a wait has none", async () => {
    const { client, seen } = deadlines([]);
    await client.states.waitForState({});
    expect(seen).toEqual([undefined]);
  });

  test("the caller's counts, and 0 asks for none", async () => {
    const { client, seen } = deadlines([]);
    await client.states.getState({}, { timeoutMs: 2_000 });
    await client.states.getState({}, { timeoutMs: 0 });
    expect(seen).toEqual([about(2_000), undefined]);
  });

  test("all attempts share it", async () => {
    const { client, seen } = deadlines([away, failure("TOO_MANY", { retryAfterMs: 4_000 })]);
    await client.states.getState({}, { timeoutMs: 9_000 });
    expect(seen).toEqual([about(9_000), about(8_900), about(4_700)]);
  });

  test("a wait that would outlast it is not begun: the caller gets what went wrong", async () => {
    const scheduler = new FakeScheduler();
    const { client, seen } = deadlines([failure("TOO_MANY", { retryAfterMs: 5_000 })], { scheduler });
    const error = await rejection(client.states.getState({}, { timeoutMs: 5_000 }));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(seen).toHaveLength(1);
    expect(scheduler.waits).toEqual([]);
  });
});

describe("the caller's signal", () => {
  test("ends a wait for the next attempt at once", async () => {
    const scheduler = new FakeScheduler();
    const seen: unknown[] = [];
    const client = clientOf({ states: { getState: failing([away], seen) } }, { scheduler });
    const controller = new AbortController();
    const call = rejection(client.states.getState({}, { signal: controller.signal }));
    await scheduler.armed(100);
    controller.abort();
    expect((await call).code).toBe(Code.Canceled);
    expect(scheduler.running).toEqual([]);
    expect(seen).toHaveLength(1);
  });

  test("the end of the client ends it too", async () => {
    const scheduler = new FakeScheduler();
    const client = clientOf({ states: { getState: failing([away, away]) } }, { scheduler });
    const call = rejection(client.states.getState({}));
    await scheduler.armed(100);
    client.close();
    expect(await call).toMatchObject({ code: Code.Canceled, rawMessage: "the client was closed" });
    expect(await rejection(client.states.getState({}))).toMatchObject({ rawMessage: "the client was closed" });
  });
});

describe("request ids", () => {
  type Request = MessageInitShape<typeof SetStateRequestSchema>;

  async function sent(requests: readonly Request[], failures: readonly ConnectError[] = []): Promise<string[]> {
    const seen: { readonly requestId: string }[] = [];
    const client = clientOf({ states: { setState: failing(failures, seen) } });
    for (const request of requests) await client.states.setState(request);
    return seen.map(({ requestId }) => requestId);
  }

  test("every attempt of a call has the same, another call another", async () => {
    const [first, again, other] = await sent([{}, {}], [away]);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test("the caller's own is kept", async () => {
    expect(await sent([{ requestId: "mine" }], [away])).toEqual(["mine", "mine"]);
  });

  test("the caller's object is left alone, so that it can be sent again as another request", async () => {
    const message = create(SetStateRequestSchema, { agentId: "a", state: State.IDLE });
    const [first, second] = await sent([message, message]);
    expect(message.requestId).toBe("");
    expect(second).not.toBe(first);
  });
});

describe("headers", () => {
  function headersOf(options: Partial<OpsCoreClientOptions>) {
    const seen: Headers[] = [];
    const answer = (_: unknown, { requestHeader }: HandlerContext) => {
      seen.push(requestHeader);
      return {};
    };
    return { client: clientOf({ states: { getState: answer } }, options), seen };
  }

  test("key and namespace go with every call", async () => {
    const { client, seen } = headersOf({ apiKey: "sesame", namespace: "team-a" });
    await client.states.getState({});
    await client.states.getState({}, { headers: { "x-mine": "1", "opscore-namespace": "team-b" } });
    expect(seen.map((header) => header.get("authorization"))).toEqual(["Bearer sesame", "Bearer sesame"]);
    expect(seen.map((header) => header.get("opscore-namespace"))).toEqual(["team-a", "team-b"]);
    expect(seen[1]?.get("x-mine")).toBe("1");
  });

  test("nothing is sent that was not given", async () => {
    const { client, seen } = headersOf({});
    await client.states.getState({});
    expect(seen[0]?.has("authorization")).toBe(false);
    expect(seen[0]?.has("opscore-namespace")).toBe(false);
  });

  test.each([{ apiKey: "two\nlines" }, { namespace: "two\nlines" }])("%o is refused", (options) => {
    expect(() => clientOf({}, options)).toThrow(TypeError);
  });

  test.each(["not a url", "ftp://host", "unix:/socket"])("baseUrl %s is refused", (baseUrl) => {
    expect(() => createOpsCoreClient({ baseUrl })).toThrow(TypeError);
  });
});
