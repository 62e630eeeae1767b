/** The Agent helper, against a server that is taken away, forgets, and gives its id to another. */
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { ReportDroppedError } from "../../src/client/index.js";
import { AgentServer } from "./helpers/agent-server.js";
import { away, codeOf, listen, start } from "./helpers/agents.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";

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
