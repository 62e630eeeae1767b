import { beforeEach, describe, expect, test } from "vitest";
import { Liveness, State } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, StateService, type StateEvent } from "../../gen/opscore/v1/state_service_pb.js";
import { pageToken } from "../../src/services/paging.js";
import { contextFor, createHarness, failure, type Harness } from "./harness.js";
import { create } from "@bufbuild/protobuf";

let h: Harness;
beforeEach(async () => {
  h = createHarness();
  await h.agents.registerAgent({ agentId: "a" });
});

const set = (state: State, report: object = {}) => h.states.setState({ agentId: "a", state, ...report });

describe("SetState", () => {
  test("answers with the state as it was reported", async () => {
    const { state, changed } = await set(State.ACTIVE, {
      reason: "RateLimited",
      message: "waiting for quota",
      details: { retries: 3, last: { code: 429 } },
      sessionId: "s",
      taskId: "t",
      incarnation: 1n,
      sequence: 7n,
      reportTime: { seconds: 1_700_000_000n, nanos: 123_456_789 },
    });
    expect(changed).toBe(true);
    expect(state).toMatchObject({
      agentId: "a",
      state: State.ACTIVE,
      liveness: Liveness.ALIVE,
      reason: "RateLimited",
      message: "waiting for quota",
      details: { retries: 3, last: { code: 429 } },
      sessionId: "s",
      taskId: "t",
      incarnation: 1n,
      sequence: 7n,
      reportTime: { seconds: 1_700_000_000n, nanos: 123_000_000 },
      commitTime: { seconds: BigInt(h.clock.now() / 1000), nanos: 0 },
      actor: "tester",
    });
  });

  test("says when a report changed nothing", async () => {
    const first = await set(State.IDLE, { details: { a: 1, b: 2 } });
    const again = await set(State.IDLE, { details: { b: 2, a: 1 } });
    expect(again).toMatchObject({ changed: false, state: first.state });
  });

  test("answers at once when the storage does", () => {
    const answer = h.services.states.setState(
      create(StateService.method.setState.input, { agentId: "a", state: State.IDLE }),
      contextFor(StateService.method.setState),
    );
    expect(answer).not.toBeInstanceOf(Promise);
    expect(answer).toMatchObject({ $typeName: "opscore.v1.SetStateResponse", changed: true });
  });

  test("fails for every reason that the contract names", async () => {
    await set(State.IDLE, { sequence: 5n });
    expect((await failure("STALE_SEQUENCE", () => set(State.ACTIVE, { sequence: 5n }))).metadata).toEqual({
      sequence: "5",
      current: "5",
    });
    await failure("STATE_MISMATCH", () => set(State.ACTIVE, { expectedStates: [State.ERROR, State.UNKNOWN] }));
    await failure("STATE_MISMATCH", () => set(State.ACTIVE, { expectedRevision: 999n }));
    await failure("UNKNOWN_INCARNATION", () => set(State.ACTIVE, { incarnation: 2n }));
    await set(State.FINISHED);
    const illegal = await failure("ILLEGAL_TRANSITION", () => set(State.IDLE));
    expect(illegal.metadata).toEqual({ from: "FINISHED", to: "IDLE" });
    await h.agents.registerAgent({ agentId: "a" });
    expect((await failure("STALE_INCARNATION", () => set(State.IDLE, { incarnation: 1n }))).metadata).toEqual({
      incarnation: "1",
      current: "2",
    });
    await failure("AGENT_NOT_FOUND", () =>
      h.states.setState({ agentId: "nobody", state: State.IDLE, waitForRegistration: {} }),
    );
  });

  test("compares and sets", async () => {
    const { state } = await set(State.IDLE);
    const { changed } = await set(State.ACTIVE, {
      expectedStates: [State.IDLE],
      expectedRevision: state?.revision ?? 0n,
    });
    expect(changed).toBe(true);
  });

  test("is safe to repeat with a request id", async () => {
    const first = await set(State.IDLE, { requestId: "r" });
    await set(State.ACTIVE);
    expect(await set(State.IDLE, { requestId: "r" })).toEqual(first);
    expect((await h.states.getState({ agentId: "a" })).state?.state).toBe(State.ACTIVE);
  });

  test("holds a report until its agent registers", async () => {
    const held = h.states.setState({ agentId: "late", state: State.IDLE });
    await h.agents.registerAgent({ agentId: "late" });
    expect(await held).toMatchObject({ changed: true, state: { state: State.IDLE } });
  });

  test.each([
    ["5 s when nothing is said", {}, 5_000],
    ["as long as is said", { waitForRegistration: { seconds: 1n, nanos: 1 } }, 1_001],
    ["60 s at most", { waitForRegistration: { seconds: 60n } }, 60_000],
    ["not at all for 0 s", { waitForRegistration: {} }, 0],
  ])("holds %s", async (_what, request, expected) => {
    const asked: number[] = [];
    const watched = createHarness({
      wrap: (storage) => {
        const setState = storage.setState.bind(storage);
        return Object.assign(storage, {
          setState: (command: Parameters<typeof setState>[0]) => {
            asked.push(command.holdMs);
            return setState({ ...command, holdMs: 0 });
          },
        });
      },
    });
    await failure("AGENT_NOT_FOUND", () => watched.states.setState({ agentId: "late", state: State.IDLE, ...request }));
    expect(asked).toEqual([expected]);
  });

  test("fails a report that is not held any more", async () => {
    const full = createHarness({ memory: { maxHeldReports: 1 } });
    const held = full.states.setState({ agentId: "late", state: State.IDLE });
    const error = await failure("TOO_MANY", () => full.states.setState({ agentId: "late", state: State.IDLE }));
    expect(error.retryAfterMs).toBeGreaterThan(0);
    await full.storage.close();
    await failure("SERVER_STOPPING", () => held);
  });
});

describe("GetState", () => {
  test("answers with the last state", async () => {
    const { state } = await set(State.IDLE);
    expect((await h.states.getState({ agentId: "a" })).state).toEqual(state);
  });

  test("fails for an unknown agent, also for one of another namespace", async () => {
    const other = h.as({ namespace: "other" });
    expect((await failure("AGENT_NOT_FOUND", () => other.states.getState({ agentId: "a" }))).metadata).toEqual({
      agent_id: "a",
    });
  });
});

describe("GetStateHistory", () => {
  const history = async (request: object = {}): Promise<StateEvent[]> =>
    (await h.states.getStateHistory({ agentId: "a", ...request })).events;
  const typesOf = (events: StateEvent[]) => events.map(({ type }) => StateEvent_Type[type]);

  test("is the chain of an agent's states", async () => {
    await set(State.IDLE);
    await set(State.ACTIVE);
    const events = await history();
    expect(typesOf(events)).toEqual(["REGISTERED", "TRANSITION", "TRANSITION"]);
    expect(events.map(({ state }) => state?.state)).toEqual([State.UNKNOWN, State.IDLE, State.ACTIVE]);
    expect(events.map(({ previous }) => previous)).toEqual([undefined, events[0]?.state, events[1]?.state]);
  });

  test("goes on across registrations, and begins anew after a removal", async () => {
    await set(State.IDLE);
    await h.agents.registerAgent({ agentId: "a" });
    await h.agents.deregisterAgent({ agentId: "a" });
    expect(typesOf(await history())).toEqual(["REGISTERED", "TRANSITION", "REGISTERED", "DEREGISTERED"]);
    await h.agents.registerAgent({ agentId: "a" });
    const events = await history();
    expect(typesOf(events).slice(-2)).toEqual(["DEREGISTERED", "REGISTERED"]);
    expect(events.at(-3)?.previous?.state).toBe(State.IDLE);
    expect(events.at(-2)?.previous).toEqual(events.at(-3)?.state);
    expect(events.at(-1)?.previous).toBeUndefined();
  });

  test("begins after a revision, and knows what was before it", async () => {
    const { state } = await set(State.IDLE);
    await set(State.ACTIVE);
    const events = await history({ afterRevision: state?.revision ?? 0n });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ previous: state, state: { state: State.ACTIVE } });
  });

  test("walks the pages to the end", async () => {
    for (let i = 0; i < 10; i++) await set(i % 2 === 0 ? State.IDLE : State.ACTIVE);
    const whole = await history({ pageSize: 1_000 });
    const walked: StateEvent[] = [];
    let pageToken = "";
    let pages = 0;
    do {
      const page = await h.states.getStateHistory({ agentId: "a", pageSize: 4, pageToken });
      walked.push(...page.events);
      pageToken = page.nextPageToken;
      pages += 1;
    } while (pageToken !== "");
    expect(walked).toEqual(whole);
    expect(pages).toBe(3);
  });

  test("refuses a page token of another query", async () => {
    await set(State.IDLE);
    const { nextPageToken: pageToken } = await h.states.getStateHistory({ agentId: "a", pageSize: 1 });
    await failure("INVALID_PAGE_TOKEN", () => history({ agentId: "b", pageToken }));
    await failure("INVALID_PAGE_TOKEN", () => history({ afterRevision: 1n, pageToken }));
    await failure("INVALID_PAGE_TOKEN", () => history({ pageToken: "2" }));
  });

  test.each(["", "x", "-1", "1.5", "1e3", "99999999999999999999"])("refuses a forged cursor: %j", async (cursor) => {
    const forged = pageToken(["GetStateHistory", "default", "a", 0], cursor);
    await failure("INVALID_PAGE_TOKEN", () => history({ pageToken: forged }));
  });

  test("fails when nothing is known of the agent", async () => {
    await failure("AGENT_NOT_FOUND", () => history({ agentId: "nobody" }));
  });
});
