/** Waits that outlive their calls, against servers that play a script. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { State, type AgentStateSchema } from "../../gen/opscore/v1/common_pb.js";
import {
  StateEvent_Type,
  StateService,
  WaitOutcome,
  type WaitForStateRequest,
} from "../../gen/opscore/v1/state_service_pb.js";
import { createOpsCoreClient, errorReason, lastKnownState } from "../../src/client/index.js";
import { waitTimedOut } from "../../src/client/errors.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";
import { FakeScheduler, HastyScheduler } from "./helpers/fake-scheduler.js";

type Commit = Pick<MessageInitShape<typeof AgentStateSchema>, "state" | "liveness"> & {
  readonly revision: bigint;
  readonly timeMs: number;
  /** Default: a transition. */
  readonly type?: StateEvent_Type;
};

type Answer = (request: WaitForStateRequest, context: HandlerContext) => object | Promise<object>;

const gone = failure("STORAGE_UNAVAILABLE");
const reached: Answer = () => ({ outcome: WaitOutcome.REACHED, state: { agentId: "a", state: State.IDLE } });
const fails =
  (error: Error): Answer =>
  () => {
    throw error;
  };

/** A server that knows one agent by its log, and answers one wait after the other as it is told. */
function waitServer(answers: readonly Answer[], scheduler: FakeScheduler = new HastyScheduler()) {
  const server = { log: [] as Commit[], registered: true, requests: [] as WaitForStateRequest[] };
  const present = ({ revision, timeMs, state = State.ACTIVE, liveness }: Commit) => ({
    agentId: "a",
    state,
    ...(liveness === undefined ? {} : { liveness }),
    revision,
    commitTime: timestampFromMs(timeMs),
  });
  const transport = createRouterTransport(({ service }) => {
    service(StateService, {
      getState() {
        const last = server.log.at(-1);
        if (last === undefined || !server.registered) throw failure("AGENT_NOT_FOUND");
        return { state: present(last) };
      },
      getStateHistory({ afterRevision, pageSize, pageToken }) {
        if (server.log.length === 0) throw failure("AGENT_NOT_FOUND");
        const from = pageToken === "" ? afterRevision : BigInt(pageToken);
        // Pages of two, so that walking over them is tried.
        const page = server.log.filter(({ revision }) => revision > from).slice(0, Math.min(pageSize, 2));
        const last = page.at(-1)?.revision ?? from;
        const more = server.log.some(({ revision }) => revision > last);
        return {
          events: page.map((commit) => ({ type: commit.type ?? StateEvent_Type.TRANSITION, state: present(commit) })),
          nextPageToken: more ? `${last}` : "",
        };
      },
      waitForState(request, context) {
        const answer = answers[server.requests.length];
        server.requests.push(request);
        if (answer === undefined) throw new Error("one wait more than the script has");
        return answer(request, context);
      },
    });
  });
  const client = createOpsCoreClient({ baseUrl: "http://unused", transport, scheduler });
  return { server, client, scheduler, revisions: () => server.requests.map(({ afterRevision }) => afterRevision) };
}

const IDLE = { agentId: "a", states: [State.IDLE] };

describe("where a wait begins", () => {
  test("at the current state, when the agent is registered", async () => {
    const { client, server, revisions } = waitServer([reached]);
    server.log.push({ revision: 4n, timeMs: 400 }, { revision: 7n, timeMs: 700 });
    expect(await client.waitForState(IDLE)).toMatchObject({ outcome: WaitOutcome.REACHED });
    expect(revisions()).toEqual([7n]);
  });

  test("the current state ends it when it matches, without another call", async () => {
    const { client, server } = waitServer([]);
    server.log.push({ revision: 4n, timeMs: 400, state: State.IDLE });
    expect(await client.waitForState(IDLE)).toMatchObject({
      outcome: WaitOutcome.REACHED,
      state: { state: State.IDLE, revision: 4n },
    });
    expect(server.requests).toEqual([]);
  });

  test("at nothing, when the agent was never there", async () => {
    const { client, revisions } = waitServer([reached]);
    await client.waitForState(IDLE);
    expect(revisions()).toEqual([0n]);
  });

  test("at the end of its history, when the agent was removed", async () => {
    const { client, server, revisions } = waitServer([reached]);
    for (const revision of [1n, 2n, 3n, 4n]) server.log.push({ revision, timeMs: 100, state: State.IDLE });
    server.log.push({ revision: 5n, timeMs: 100, state: State.IDLE, type: StateEvent_Type.DEREGISTERED });
    server.registered = false;
    await client.waitForState(IDLE);
    expect(revisions()).toEqual([5n]);
  });

  test("before a registration that comes while the wait finds out that there was none", async () => {
    const { client, server, revisions } = waitServer([reached]);
    server.log.push({ revision: 5n, timeMs: 100, type: StateEvent_Type.DEREGISTERED });
    // The agent is looked up first and then its history; here both of these are committed between the two.
    server.log.push({ revision: 6n, timeMs: 200, state: State.IDLE, type: StateEvent_Type.REGISTERED });
    server.log.push({ revision: 7n, timeMs: 200, state: State.ACTIVE });
    server.registered = false;
    await client.waitForState(IDLE);
    expect(revisions()).toEqual([5n]);
  });

  test("at the caller's revision; then the current state alone does not count", async () => {
    const { client, server, revisions } = waitServer([reached]);
    server.log.push({ revision: 7n, timeMs: 700, state: State.IDLE });
    await client.waitForState({ ...IDLE, afterRevision: 7n });
    expect(revisions()).toEqual([7n]);
  });

  test("not beyond the newest commit: such a revision is from a log that is gone", async () => {
    const { client, server, revisions } = waitServer([reached]);
    server.log.push({ revision: 7n, timeMs: 700 });
    await client.waitForState({ ...IDLE, afterRevision: 900n });
    expect(revisions()).toEqual([7n]);
  });
});

describe("a wait whose call breaks", () => {
  test("goes on from where it began", async () => {
    const { client, server, revisions, scheduler } = waitServer([
      () => {
        server.log.push({ revision: 8n, timeMs: 800, state: State.IDLE }, { revision: 9n, timeMs: 900 });
        throw gone;
      },
      fails(foreignFailure(Code.Canceled)),
      reached,
    ]);
    server.log.push({ revision: 7n, timeMs: 700 });
    await client.waitForState(IDLE);
    expect(revisions()).toEqual([7n, 7n, 7n]);
    expect(scheduler.waits).toEqual([100, 200]);
  });

  test("counts everything, when the server has forgotten what was", async () => {
    const { client, server, revisions } = waitServer([
      () => {
        server.log = [
          { revision: 6n, timeMs: 1_600, state: State.IDLE },
          { revision: 7n, timeMs: 1_700 },
        ];
        throw gone;
      },
      fails(gone),
      reached,
    ]);
    server.log.push({ revision: 6n, timeMs: 600 }, { revision: 7n, timeMs: 700 });
    await client.waitForState(IDLE);
    expect(revisions()).toEqual([7n, 0n, 0n]);
  });

  test("counts what came later, when the server has lost its last commits", async () => {
    const { client, server, revisions } = waitServer([
      () => {
        server.log = server.log.slice(0, 3);
        server.log.push({ revision: 4n, timeMs: 2_000, state: State.IDLE });
        throw gone;
      },
      reached,
    ]);
    for (const revision of [1n, 2n, 3n, 4n]) server.log.push({ revision, timeMs: Number(revision) * 100 });
    await client.waitForState(IDLE);
    expect(revisions()).toEqual([4n, 3n]);
  });

  test("counts what is kept, when history has moved on", async () => {
    const { client, server, revisions } = waitServer([
      () => {
        server.log = [
          { revision: 60n, timeMs: 6_000 },
          { revision: 61n, timeMs: 6_100 },
        ];
        throw gone;
      },
      reached,
    ]);
    server.log.push({ revision: 7n, timeMs: 700 });
    await client.waitForState(IDLE);
    expect(revisions()).toEqual([7n, 0n]);
  });

  test("the caller's revision holds as long as the log does", async () => {
    const { client, server, revisions } = waitServer([
      fails(gone),
      () => {
        server.log = [{ revision: 1n, timeMs: 5_000 }];
        throw gone;
      },
      reached,
    ]);
    server.log.push({ revision: 7n, timeMs: 700 });
    await client.waitForState({ ...IDLE, afterRevision: 3n });
    expect(revisions()).toEqual([3n, 3n, 0n]);
  });

  test.each([
    ["INVALID_FIELD", failure("INVALID_FIELD")],
    ["CREDENTIALS_INVALID", failure("CREDENTIALS_INVALID")],
    ["INTERNAL", failure("INTERNAL")],
  ])("fails with what trying again does not mend: %s", async (_, error) => {
    const { client, server } = waitServer([fails(error)]);
    expect((await rejection(client.waitForState(IDLE))).code).toBe(error.code);
    expect(server.requests).toHaveLength(1);
  });
});

describe("how long a wait lasts", () => {
  const timedOut = fails(waitTimedOut("a", undefined));

  test("longer than any call: one after the other, each with its share", async () => {
    const scheduler = new FakeScheduler();
    const slice: Answer = () => {
      scheduler.advance(30_000);
      throw waitTimedOut("a", undefined);
    };
    const { client, server } = waitServer([slice, slice, timedOut], scheduler);
    const error = await rejection(elapsing(scheduler, client.waitForState(IDLE, { timeoutMs: 65_000 })));
    expect(errorReason(error)).toBe("WAIT_TIMED_OUT");
    expect(server.requests.map(({ timeout }) => timeout?.seconds)).toEqual([30n, 30n, 5n]);
  });

  test("a server that does not answer in time is asked again", async () => {
    const { client, server } = waitServer([fails(foreignFailure(Code.DeadlineExceeded)), reached]);
    server.log.push({ revision: 7n, timeMs: 700 });
    expect(await client.waitForState(IDLE)).toMatchObject({ outcome: WaitOutcome.REACHED });
  });

  test("to its end also when the server is away, and then says what was known last", async () => {
    const { client, server, scheduler } = waitServer(Array<Answer>(10).fill(fails(gone)));
    server.log.push({ revision: 7n, timeMs: 700 });
    const error = await rejection(client.waitForState(IDLE, { timeoutMs: 1_000 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(errorReason(error)).toBe("WAIT_TIMED_OUT");
    expect(lastKnownState(error)).toMatchObject({ state: State.ACTIVE, revision: 7n });
    expect(scheduler.monotonic()).toBe(1_000);
  });

  test.each([0, -1, Number.NaN])("%d is refused", async (timeoutMs) => {
    const { client } = waitServer([]);
    await expect(client.waitForState(IDLE, { timeoutMs })).rejects.toThrow(RangeError);
  });

  test("until its signal aborts, between two calls too", async () => {
    const scheduler = new FakeScheduler();
    const { client } = waitServer([fails(gone)], scheduler);
    const controller = new AbortController();
    const waiting = rejection(client.waitForState(IDLE, { signal: controller.signal }));
    await scheduler.armed(100);
    controller.abort();
    expect((await waiting).code).toBe(Code.Canceled);
    expect(scheduler.running).toEqual([]);
  });

  test("until the client is closed, between two calls too", async () => {
    const scheduler = new FakeScheduler();
    const { client } = waitServer([fails(gone)], scheduler);
    const waiting = rejection(client.waitForState(IDLE));
    await scheduler.armed(100);
    client.close();
    expect(await waiting).toMatchObject({ code: Code.Canceled, rawMessage: "the client was closed" });
  });
});

/** Lets the pauses of no length elapse that stand between two calls. */
async function elapsing<T>(scheduler: FakeScheduler, promise: Promise<T>): Promise<T> {
  const state = { isOver: false };
  void promise.catch(() => undefined).then(() => (state.isOver = true));
  while (!state.isOver) {
    scheduler.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return promise;
}
