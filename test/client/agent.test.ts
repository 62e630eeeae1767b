/** The Agent helper, against a server that is taken away, forgets, and loses answers. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { Agent, ReportDroppedError, type AgentOptions } from "../../src/client/index.js";
import { AgentServer } from "./helpers/agent-server.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";

const away = failure("STORAGE_UNAVAILABLE");

async function start(server: AgentServer, options: Partial<AgentOptions> = {}): Promise<Agent> {
  const { client, scheduler } = server;
  const agent = await Agent.start({ client, scheduler, agentId: "a", leaseTtlMs: 0, ...options });
  onTestFinished(() => server.client.close());
  return agent;
}

/** What an agent's listeners were told, in order. */
function listen(agent: Agent): string[] {
  const told: string[] = [];
  agent.on("connected", () => told.push("connected"));
  agent.on("disconnected", (error) => told.push(`disconnected: ${codeOf(error)}`));
  agent.on("superseded", (error) => told.push(`superseded: ${codeOf(error)}`));
  agent.on("error", (error) => told.push(`error: ${codeOf(error)}`));
  return told;
}

function codeOf(error: Error): string {
  return error instanceof ConnectError ? Code[error.code] : error.name;
}

describe("starting", () => {
  test("registers what it was told", async () => {
    const server = new AgentServer();
    const agent = await start(server, {
      displayName: "The writer",
      version: "1.2.3",
      capabilities: ["write"],
      contactEndpoint: "http://writer",
      labels: { env: "prod" },
      metadata: { team: "a" },
      leaseTtlMs: 1_500,
      initialState: State.INITIALIZING,
    });
    expect(server.registrations).toMatchObject([
      {
        agentId: "a",
        displayName: "The writer",
        version: "1.2.3",
        capabilities: ["write"],
        contactEndpoint: "http://writer",
        labels: { env: "prod" },
        metadata: { team: "a" },
        leaseTtl: { seconds: 1n, nanos: 500_000_000 },
        initialState: State.INITIALIZING,
        keepState: false,
      },
    ]);
    expect(agent).toMatchObject({ agentId: "a", incarnation: 1n, status: "connected", unsent: 0 });
  });

  test("knows the id that the server made", async () => {
    expect(await start(new AgentServer(), { agentId: undefined })).toMatchObject({ agentId: "made-by-the-server" });
  });

  test("waits for a server that is away, and registers once", async () => {
    const server = new AgentServer();
    server.failures = [away];
    server.loseAnswers = 1;
    const starting = start(server);
    await server.scheduler.elapse(100);
    await server.scheduler.elapse(200);
    expect(await starting).toMatchObject({ incarnation: 1n });
    expect(new Set(server.registrations.map(({ requestId }) => requestId)).size).toBe(1);
  });

  test("gives up when it takes too long", async () => {
    const server = new AgentServer();
    server.away = away;
    const starting = rejection(start(server, { startTimeoutMs: 250 }));
    await server.scheduler.elapse(100);
    expect((await starting).code).toBe(Code.Unavailable);
    expect(server.scheduler.running).toEqual([]);
  });

  test("gives up at once when its signal aborts", async () => {
    const server = new AgentServer();
    server.away = away;
    const controller = new AbortController();
    const starting = start(server, { signal: controller.signal });
    await server.scheduler.armed(100);
    controller.abort(new Error("not now"));
    await expect(starting).rejects.toThrow("not now");
    expect(server.scheduler.running).toEqual([]);
  });

  test.each(["INVALID_FIELD", "CREDENTIALS_INVALID"] as const)("fails at once with %s", async (reason) => {
    const server = new AgentServer();
    server.failures = [failure(reason)];
    const error = await rejection(start(server));
    expect(error.code).toBe(failure(reason).code);
    expect(server.calls).toEqual(["register"]);
  });

  test.each([{ queueLimit: 0 }, { leaseTtlMs: -1 }, { reconnect: { multiplier: 0 } }])("%o is refused", async (bad) => {
    await expect(start(new AgentServer(), bad)).rejects.toThrow(RangeError);
  });
});

describe("reporting", () => {
  test("each state in a word of its own", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    await agent.initializing();
    await agent.idle();
    await agent.active();
    await agent.error();
    await agent.report(State.IDLE);
    await agent.finished();
    expect(server.states).toEqual(["INITIALIZING", "IDLE", "ACTIVE", "ERROR", "IDLE", "FINISHED"]);
  });

  test("says everything that there is to say", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    await agent.active({ reason: "Drafting", message: "page 1", details: { page: 1 }, sessionId: "s", taskId: "t" });
    await agent.idle();
    const [first, second] = server.taken;
    expect(first).toMatchObject({
      agentId: "a",
      reason: "Drafting",
      message: "page 1",
      details: { page: 1 },
      sessionId: "s",
      taskId: "t",
      incarnation: 1n,
      sequence: 1n,
      waitForRegistration: { seconds: 0n, nanos: 0 },
    });
    expect(first?.reportTime === undefined ? 0 : timestampMs(first.reportTime)).toBe(server.scheduler.now());
    expect(second).toMatchObject({ sequence: 2n, message: "", sessionId: "" });
    expect(second?.requestId).not.toBe(first?.requestId);
  });

  test("in order, without waiting for each other's answers", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    await Promise.all([agent.idle(), agent.active(), agent.idle(), agent.active()]);
    expect(server.states).toEqual(["IDLE", "ACTIVE", "IDLE", "ACTIVE"]);
  });

  test("what the server refuses is the caller's to know, and does not hold up the rest", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    const told = listen(agent);
    server.failures = [failure("ILLEGAL_TRANSITION")];
    const refused = rejection(agent.idle());
    const next = agent.active();
    expect((await refused).code).toBe(Code.FailedPrecondition);
    await next;
    expect(told).toEqual(["error: FailedPrecondition"]);
    expect(agent.status).toBe("connected");
  });

  test("a listener that throws harms nobody else", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    const uncaught: unknown[] = [];
    const catcher = (error: unknown) => uncaught.push(error);
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", catcher);
    agent.on("error", () => {
      throw new Error("in a listener");
    });
    const told = listen(agent);
    server.failures = [failure("ILLEGAL_TRANSITION")];
    void agent.idle();
    await agent.active();
    process.off("uncaughtException", catcher);
    for (const listener of before) process.on("uncaughtException", listener);
    expect(told).toEqual(["error: FailedPrecondition"]);
    expect(uncaught).toMatchObject([{ message: "in a listener" }]);
  });
});

describe("while the server is away", () => {
  test("reports are kept, and sent in order when it is back", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    const told = listen(agent);
    server.away = away;
    const reports = [agent.idle(), agent.active({ message: "1" }), agent.active({ message: "2" }), agent.idle()];
    for (const ms of [100, 200, 400]) await server.scheduler.elapse(ms);
    expect(agent).toMatchObject({ status: "disconnected", unsent: 4 });
    expect(server.taken).toEqual([]);
    await server.scheduler.armed(800);
    server.away = undefined;
    server.scheduler.advance(800);
    await Promise.all(reports);
    expect(server.states).toEqual(["IDLE", "ACTIVE", "ACTIVE", "IDLE"]);
    expect(server.taken.map(({ message }) => message)).toEqual(["", "1", "2", ""]);
    expect(told).toEqual(["disconnected: Unavailable", "connected"]);
    expect(agent).toMatchObject({ status: "connected", unsent: 0 });
  });

  test("a report whose answer is lost has its effect once", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    server.loseAnswers = 2;
    const reports = [agent.idle(), agent.active()];
    await server.scheduler.elapse(100);
    await server.scheduler.elapse(200);
    await Promise.all(reports);
    expect(server.attempts.map(({ state }) => State[state])).toEqual(["IDLE", "IDLE", "IDLE", "ACTIVE"]);
    expect(server.states).toEqual(["IDLE", "ACTIVE"]);
  });

  test("also when the server does not remember the request any more", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    server.loseAnswers = 1;
    const report = agent.idle();
    await server.scheduler.armed(100);
    server.forgetRequests();
    server.scheduler.advance(100);
    await report;
    await agent.active();
    expect(server.states).toEqual(["IDLE", "ACTIVE"]);
  });

  test("the newest reports are kept, the oldest give way", async () => {
    const server = new AgentServer();
    const agent = await start(server, { queueLimit: 2 });
    const told = listen(agent);
    server.away = away;
    const first = agent.active({ message: "0" });
    await server.called(2);
    const reports = [first, ...["1", "2", "3"].map((message) => agent.active({ message }))];
    const settled = Promise.allSettled(reports);
    await server.scheduler.armed(100);
    server.away = undefined;
    server.scheduler.advance(100);
    // The first was on its way already, and takes no place of those that wait.
    expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    await expect(reports[1]).rejects.toThrow(ReportDroppedError);
    expect(server.taken.map(({ message }) => message)).toEqual(["0", "2", "3"]);
    expect(told[0]).toBe("error: ReportDroppedError");
  });

  test.each([
    ["a key that is being changed", failure("CREDENTIALS_INVALID")],
    ["a server that hangs", foreignFailure(Code.DeadlineExceeded)],
    ["too many at once", failure("TOO_MANY", { retryAfterMs: 0 })],
  ])("%s is an outage too", async (_, error) => {
    const server = new AgentServer();
    const agent = await start(server);
    const told = listen(agent);
    server.failures = [error];
    const report = agent.idle();
    await server.scheduler.elapse(100);
    await report;
    expect(told).toEqual([`disconnected: ${codeOf(error)}`, "connected"]);
  });
});

describe("the lease", () => {
  const LEASE = { leaseTtlMs: 9_000 };

  test("is renewed after a third, give or take a tenth of that", async () => {
    const server = new AgentServer();
    const waits: number[] = [];
    for (const chance of [0, 0.5, 1]) {
      server.scheduler.chance = chance;
      const agent = await start(server, LEASE);
      waits.push(...server.scheduler.running);
      await agent.stop();
    }
    expect(waits).toEqual([2_700, 3_000, 3_300]);
  });

  test("is renewed for as long as the agent runs, with its incarnation", async () => {
    const server = new AgentServer();
    server.scheduler.chance = 0.5;
    const agent = await start(server, LEASE);
    for (let turn = 1; turn <= 3; turn++) {
      await server.scheduler.elapse(3_000);
      await server.called(turn + 1);
    }
    expect(server.heartbeats).toMatchObject(Array(3).fill({ agentId: "a", incarnation: 1n }));
    await agent.stop();
    expect(server.scheduler.running).toEqual([]);
  });

  test("a report renews it too", async () => {
    const server = new AgentServer();
    server.scheduler.chance = 0.5;
    const agent = await start(server, LEASE);
    server.scheduler.advance(2_000);
    await agent.idle();
    server.scheduler.advance(2_000);
    await agent.active();
    await server.scheduler.armed(3_000);
    expect(server.heartbeats).toEqual([]);
    server.scheduler.advance(3_000);
    await server.called(4);
    expect(server.heartbeats).toHaveLength(1);
  });

  test("comes before reports when it is due: refused reports renew nothing", async () => {
    const server = new AgentServer();
    server.scheduler.chance = 0.5;
    const agent = await start(server, LEASE);
    server.away = away;
    void agent.idle();
    await server.scheduler.elapse(50);
    await server.scheduler.armed(100);
    server.away = undefined;
    server.scheduler.advance(4_000);
    await server.called(5);
    expect(server.calls).toEqual(["register", "IDLE", "IDLE", "heartbeat", "IDLE"]);
  });

  test("a server that is away is noticed by it", async () => {
    const server = new AgentServer();
    const agent = await start(server, LEASE);
    const told = listen(agent);
    server.away = away;
    await server.scheduler.elapse(3_300);
    await server.scheduler.armed(100);
    server.away = undefined;
    server.scheduler.advance(100);
    await server.called(3);
    await agent.idle();
    expect(told).toEqual(["disconnected: Unavailable", "connected"]);
  });
});

describe("a server that has forgotten the agent", () => {
  test("gets a new registration, and the report", async () => {
    const server = new AgentServer();
    const agent = await start(server, { displayName: "The writer" });
    await agent.idle();
    server.forget();
    await agent.active({ message: "at it" });
    expect(server.calls).toEqual(["register", "IDLE", "ACTIVE", "register", "ACTIVE"]);
    expect(server.registrations[1]).toMatchObject({ displayName: "The writer", initialState: State.IDLE });
    expect(server.taken).toMatchObject([{ state: State.ACTIVE, message: "at it", incarnation: 1n }]);
  });

  test("is told the last state again, with all that was said about it", async () => {
    const server = new AgentServer();
    server.scheduler.chance = 0.5;
    const agent = await start(server, { leaseTtlMs: 3_000 });
    await agent.active({ message: "page 7", sessionId: "s" });
    server.forget();
    await server.scheduler.elapse(1_000);
    await server.called(5);
    expect(server.calls).toEqual(["register", "ACTIVE", "heartbeat", "register", "ACTIVE"]);
    expect(server.registrations[1]).toMatchObject({ initialState: State.ACTIVE });
    expect(server.taken).toMatchObject([{ message: "page 7", sessionId: "s", sequence: 2n }]);
    expect(agent.status).toBe("connected");
  });

  test("and has given away a few incarnations fewer: UNKNOWN_INCARNATION", async () => {
    const server = new AgentServer();
    server.incarnation = 4n;
    const agent = await start(server);
    expect(agent.incarnation).toBe(5n);
    server.incarnation = 2n;
    await agent.idle();
    expect(agent.incarnation).toBe(3n);
    expect(server.states).toEqual(["IDLE"]);
  });

  test("again and again, is asked with patience", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    const missing = failure("AGENT_NOT_FOUND");
    server.failures = [missing, undefined, missing, undefined, missing];
    const report = agent.idle();
    await server.scheduler.elapse(100);
    await server.scheduler.elapse(200);
    await report;
    expect(server.calls).toEqual(["register", ...Array<string[]>(3).fill(["IDLE", "register"]).flat(), "IDLE"]);
  });
});

describe("a successor under the same id", () => {
  test("ends the agent: it is the zombie", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    const told = listen(agent);
    server.incarnation = 2n;
    const [first, second] = await Promise.all([rejection(agent.idle()), rejection(agent.active())]);
    expect([first.code, second.code]).toEqual([Code.FailedPrecondition, Code.FailedPrecondition]);
    expect(told).toEqual(["superseded: FailedPrecondition"]);
    expect(agent).toMatchObject({ status: "superseded", unsent: 0 });
    expect((await rejection(agent.idle())).code).toBe(Code.FailedPrecondition);
    expect(server.calls).toEqual(["register", "IDLE"]);
    expect(await agent.stop({ deregister: true, state: State.FINISHED })).toEqual({ unsent: 0 });
    expect(server.calls).toEqual(["register", "IDLE"]);
    expect(agent.status).toBe("superseded");
  });

  test("is noticed by the lease, too", async () => {
    const server = new AgentServer();
    const agent = await start(server, { leaseTtlMs: 3_000 });
    const told = listen(agent);
    server.incarnation = 2n;
    await server.scheduler.elapse(1_100);
    await new Promise<void>((resolve) => agent.on("superseded", () => resolve()));
    expect(told).toEqual(["superseded: FailedPrecondition"]);
    expect(server.scheduler.running).toEqual([]);
  });
});

describe("stopping", () => {
  test("sends what is left, says a last word, and removes the registration when asked to", async () => {
    const server = new AgentServer();
    const agent = await start(server, { leaseTtlMs: 3_000 });
    void agent.idle();
    void agent.active();
    expect(await agent.stop({ state: State.FINISHED, deregister: true })).toEqual({ unsent: 0 });
    expect(server.calls).toEqual(["register", "IDLE", "ACTIVE", "FINISHED", "deregister"]);
    expect(agent.status).toBe("stopped");
    expect(server.scheduler.running).toEqual([]);
    expect(await rejection(agent.idle())).toMatchObject({ rawMessage: "the agent was stopped" });
  });

  test("says nothing by itself, and once", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    expect(await Promise.all([agent.stop(), agent.stop({ deregister: true })])).toEqual([{ unsent: 0 }, { unsent: 0 }]);
    await agent[Symbol.asyncDispose]();
    expect(server.calls).toEqual(["register"]);
  });

  test("waits no longer than it was told for a server that is away", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    server.away = away;
    const reports = [rejection(agent.idle()), rejection(agent.active())];
    await server.scheduler.armed(100);
    const stopping = agent.stop({ timeoutMs: 50 });
    server.scheduler.advance(50);
    expect(await stopping).toEqual({ unsent: 2 });
    expect((await Promise.all(reports)).map(({ rawMessage }) => rawMessage)).toEqual([
      "the agent was stopped",
      "the agent was stopped",
    ]);
    expect(server.scheduler.running).toEqual([]);
  });

  test("a registration is removed once, whatever happens to the answer", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    server.loseAnswers = 1;
    const stopping = agent.stop({ deregister: true });
    await server.scheduler.elapse(100);
    expect(await stopping).toEqual({ unsent: 0 });
    expect(server.calls).toEqual(["register", "deregister", "deregister"]);
  });

  test("a registration that cannot be removed is the caller's to know", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    server.failures = [failure("CREDENTIALS_INVALID")];
    server.away = failure("INTERNAL");
    expect((await rejection(agent.stop({ deregister: true }))).code).toBe(Code.Internal);
    expect(agent.status).toBe("stopped");
  });

  test("the end of the client is the end of the agent", async () => {
    const server = new AgentServer();
    const agent = await start(server, { leaseTtlMs: 3_000 });
    server.away = away;
    const report = rejection(agent.idle());
    await server.scheduler.armed(100);
    server.client.close();
    expect(await report).toMatchObject({ rawMessage: "the client was closed" });
    expect(agent.status).toBe("stopped");
    expect(server.scheduler.running).toEqual([]);
  });

  test("by leaving the scope", async () => {
    const server = new AgentServer();
    {
      await using agent = await start(server);
      void agent.idle();
    }
    expect(server.states).toEqual(["IDLE"]);
  });
});
