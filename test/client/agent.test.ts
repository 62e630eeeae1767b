/** The Agent helper, from its start to its end, against a server that loses answers. */
import type { JsonObject } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { Agent } from "../../src/client/index.js";
import { AgentServer } from "./helpers/agent-server.js";
import { away, listen, start } from "./helpers/agents.js";
import { failure, rejection } from "./helpers/failures.js";

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

  test("asks for a lease in whole milliseconds", async () => {
    const server = new AgentServer();
    await start(server, { leaseTtlMs: 1000 * 1.005 });
    expect(server.registrations[0]?.leaseTtl).toMatchObject({ seconds: 1n, nanos: 5_000_000 });
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

  test("gives up also when its signal aborts in the turn in which the answer comes", async () => {
    const { client } = new AgentServer();
    const controller = new AbortController();
    const agents: typeof client.agents = {
      ...client.agents,
      async registerAgent(...call) {
        const answer = await client.agents.registerAgent(...call);
        controller.abort(new Error("not now"));
        return answer;
      },
    };
    const starting = Agent.start({ client: { ...client, agents }, agentId: "a", signal: controller.signal });
    await expect(starting).rejects.toThrow("not now");
  });

  test("waits for an answer no longer than there is time to start", async () => {
    const { client, scheduler } = new AgentServer();
    const deadlines: (number | undefined)[] = [];
    const agents: typeof client.agents = {
      ...client.agents,
      registerAgent(_, options) {
        deadlines.push(options?.timeoutMs);
        return Promise.reject(away);
      },
    };
    const options = { client: { ...client, agents }, scheduler, agentId: "a" };
    const starting = rejection(Agent.start({ ...options, startTimeoutMs: 3_000 }));
    await scheduler.elapse(100);
    await scheduler.armed(200);
    scheduler.advance(3_000);
    expect((await starting).code).toBe(Code.Unavailable);
    // The last one began too late; a second is given to each.
    expect(deadlines).toEqual([3_000, 2_900, 1_000]);
  });

  test.each(["INVALID_FIELD", "CREDENTIALS_INVALID"] as const)("fails at once with %s", async (reason) => {
    const server = new AgentServer();
    server.failures = [failure(reason)];
    const error = await rejection(start(server));
    expect(error.code).toBe(failure(reason).code);
    expect(server.calls).toEqual(["register"]);
  });

  test.each([{ queueLimit: 0 }, { leaseTtlMs: -1 }, { startTimeoutMs: Number.NaN }, { reconnect: { multiplier: 0 } }])(
    "%o is refused",
    async (bad) => {
      await expect(start(new AgentServer(), bad)).rejects.toThrow(RangeError);
    },
  );
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

  test("as it was when it was said, whatever becomes of the object", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    const content = { message: "first", details: { pages: [1] } };
    const first = agent.active(content);
    content.message = "second";
    content.details.pages.push(2);
    await Promise.all([first, agent.active(content)]);
    expect(server.taken).toMatchObject([
      { message: "first", details: { pages: [1] } },
      { message: "second", details: { pages: [1, 2] } },
    ]);
  });

  test("with what cannot be copied: no report fails for that", async () => {
    const server = new AgentServer();
    const agent = await start(server);
    const details = { pages: 1, handler: () => undefined } as unknown as JsonObject;
    await agent.active({ details });
    expect(server.taken).toMatchObject([{ details: { pages: 1 } }]);
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
