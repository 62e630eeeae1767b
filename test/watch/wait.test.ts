import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OpsCoreError, serverStopping } from "../../src/errors/index.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { State } from "../../src/storage/records.js";
import type { ReportOutcome } from "../../src/storage/storage.js";
import { WatchHub } from "../../src/watch/hub.js";
import { waitForState, WaitOutcome, type WaitRequest, type WaitResult } from "../../src/watch/wait.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { PartitionedLog } from "../helpers/partitioned-log.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../helpers/records.js";

async function setUp() {
  const clock = new FakeClock();
  const storage = createMemoryStorage({ clock });
  const hub = new WatchHub(storage);
  await hub.start();
  const wait = (request: Partial<WaitRequest> = {}): Promise<WaitResult> =>
    waitForState(hub, storage, { ...forIdle(), ...request });
  const report = async (state: State): Promise<ReportOutcome> => storage.setState(aReport("a", state));
  return { clock, storage, hub, wait, report };
}

/** A wait for "a" to be IDLE. */
function forIdle(): WaitRequest {
  return {
    namespace: NAMESPACE,
    agentId: "a",
    states: [State.IDLE],
    failStates: [],
    failOnLost: false,
    afterRevision: undefined,
    timeoutMs: undefined,
    signal: new AbortController().signal,
  };
}

describe("waiting for a state", () => {
  it("ends at once when the agent is there", async () => {
    const { storage, hub, wait, report } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const { state } = await report(State.IDLE);
    expect(await wait()).toEqual({ outcome: WaitOutcome.REACHED, state });
    expect(hub.size).toBe(0);
  });

  it("may begin before the agent exists", async () => {
    const { storage, wait, report } = await setUp();
    const waiting = wait();
    storage.registerAgent(aRegistration("a"));
    const { state } = await report(State.IDLE);
    expect(await waiting).toEqual({ outcome: WaitOutcome.REACHED, state });
  });

  it("takes a registration that begins in the state", async () => {
    const { storage, wait } = await setUp();
    const waiting = wait();
    const { agent } = storage.registerAgent(aRegistration("a", { initialState: State.IDLE }));
    expect(await waiting).toEqual({ outcome: WaitOutcome.REACHED, state: agent.state });
  });

  it("ends with FAILED in a fail state, and with REACHED where both are named", async () => {
    const { storage, wait, report } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const failing = wait({ failStates: [State.ERROR] });
    const both = wait({ states: [State.ERROR], failStates: [State.ERROR] });
    await report(State.ERROR);
    expect((await failing).outcome).toBe(WaitOutcome.FAILED);
    expect((await both).outcome).toBe(WaitOutcome.REACHED);
  });

  it("ends with DEREGISTERED when the agent is removed", async () => {
    const { storage, wait } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const waiting = wait();
    storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a", incarnation: 0, actor: ACTOR });
    expect((await waiting).outcome).toBe(WaitOutcome.DEREGISTERED);
  });

  it("ends with LOST when asked to, now or later", async () => {
    const { clock, storage, wait } = await setUp();
    storage.registerAgent(aRegistration("a", { leaseTtlMs: 1000 }));
    const waiting = wait({ failOnLost: true });
    const patient = wait();
    clock.advance(1600);
    storage.expireLeases({ stalledMs: 0 });
    storage.expireLeases({ stalledMs: 0 });
    expect((await waiting).outcome).toBe(WaitOutcome.LOST);
    expect((await wait({ failOnLost: true })).outcome).toBe(WaitOutcome.LOST);
    void storage.setState(aReport("a", State.IDLE));
    expect((await patient).outcome).toBe(WaitOutcome.REACHED);
  });

  it("after a revision finds a state that was passed through, and the first match in commit order", async () => {
    const { storage, wait, report } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const idle = await report(State.IDLE);
    await report(State.ACTIVE);
    const error = await report(State.ERROR);
    await report(State.ACTIVE);
    const afterRevision = idle.state.revision;
    expect((await wait({ states: [State.ERROR], afterRevision })).state).toEqual(error.state);
    expect((await wait({ states: [State.IDLE, State.ACTIVE], failStates: [State.ERROR], afterRevision })).outcome).toBe(
      WaitOutcome.REACHED,
    );
    expect((await wait({ states: [State.FINISHED], failStates: [State.ERROR], afterRevision })).outcome).toBe(
      WaitOutcome.FAILED,
    );
  });

  it("after a revision does not take what was there already", async () => {
    const { clock, storage, wait, report } = await setUp();
    storage.registerAgent(aRegistration("a", { leaseTtlMs: 1000 }));
    const idle = await report(State.IDLE);
    const waiting = wait({ afterRevision: idle.state.revision });
    // A change of liveness carries the old state along; the agent did not get there again.
    clock.advance(1100);
    storage.expireLeases({ stalledMs: 0 });
    await report(State.ACTIVE);
    const again = await report(State.IDLE);
    expect((await waiting).state.revision).toBe(again.state.revision);
  });

  it("ends when the caller goes away and when the server stops", async () => {
    const { hub, wait } = await setUp();
    const controller = new AbortController();
    const left = wait({ signal: controller.signal });
    const stopped = wait();
    controller.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    expect(hub.size).toBe(1);
    await Promise.all([hub.stop(), expect(stopped).rejects.toMatchObject({ reason: serverStopping().reason })]);
    await expect(wait()).rejects.toMatchObject({ reason: "SERVER_STOPPING" });
  });
});

describe("a wait at a log that is behind", () => {
  type StateOfA = NonNullable<ReturnType<PartitionedLog["agent"]>>["state"] | undefined;

  /** A log, a hub that follows it, and a storage that answers when it is told to. */
  async function setUpLate() {
    const log = new PartitionedLog(2);
    const hub = new WatchHub(log);
    await hub.start();
    const answers: (() => void)[] = [];
    let asked: () => void = () => undefined;
    const getState = () =>
      new Promise<StateOfA>((resolve) => {
        const state = log.agent("a")?.state;
        answers.push(() => resolve(state));
        asked();
      });
    return {
      log,
      hub,
      wait: () => waitForState(hub, { getState, readHistory: () => undefined }, forIdle()),
      deliver: () => {
        log.deliverAll();
        hub.settle();
      },
      /** Answers the next question, once it was asked. */
      answer: async () => {
        if (answers.length === 0) await new Promise<void>((resolve) => (asked = resolve));
        answers.shift()?.();
      },
    };
  }

  it("misses nothing while a slow storage answers, and asks again when data was lost", async () => {
    const { log, wait, answer, deliver } = await setUpLate();
    log.commit("a", State.ACTIVE);
    const waiting = wait();
    const idle = log.commit("a", State.IDLE);
    log.commit("a", State.ACTIVE);
    deliver();
    await answer();
    expect((await waiting).state.revision).toBe(idle.revision);
  });

  it.each(["while it reads", "later"])(
    "does not take an earlier life for this one: the log tells of it %s",
    async (when) => {
      const { log, wait, answer, deliver } = await setUpLate();
      log.commit("a", State.IDLE);
      log.remove("a");
      const waiting = wait();
      if (when === "while it reads") deliver();
      await answer();
      await answer();
      await Promise.resolve();
      deliver();
      const idle = log.commit("a", State.IDLE);
      deliver();
      expect((await waiting).state).toEqual(idle.state);
    },
  );

  it("takes an agent that registers while it reads where the log stands", async () => {
    const { log, wait, answer } = await setUpLate();
    const waiting = wait();
    const { state } = log.commit("a", State.IDLE);
    await answer();
    await answer();
    expect((await waiting).state).toEqual(state);
  });

  it("does not take a state that the agent had left before", async () => {
    const { log, wait, answer, deliver } = await setUpLate();
    log.commit("a", State.IDLE);
    log.commit("a", State.ACTIVE);
    const waiting = wait();
    deliver();
    await answer();
    const again = log.commit("a", State.IDLE);
    deliver();
    expect((await waiting).state).toEqual(again.state);
  });

  it("asks again when the log was lost while it read", async () => {
    const { log, wait, answer, deliver } = await setUpLate();
    for (let count = 0; count < 5; count += 1) log.commit("a", State.ACTIVE);
    const waiting = wait();
    // What was read is of a history that is gone, whose revisions were higher.
    log.begin();
    log.commit("a", State.IDLE);
    await answer();
    await answer();
    expect((await waiting).state.revision).toBe(1);
    deliver();
  });
});

describe("a wait whose storage goes away", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const away = () => {
    throw new OpsCoreError("STORAGE_UNAVAILABLE", "away", {}, { retryAfterMs: 100 });
  };

  it("fails when that is so from its beginning", async () => {
    const { hub, wait, storage } = await setUp();
    storage.getState = away;
    await expect(wait()).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
    expect([hub.size, hub.stats.waits]).toEqual([0, 0]);
  });

  it("stays open later, and finds what it waits for when the storage is back", async () => {
    const { hub, wait, storage, report } = await setUp();
    const getState = storage.getState.bind(storage);
    const waiting = wait();
    let asked = 0;
    storage.getState = () => {
      asked += 1;
      return away();
    };
    for (const sink of hub.router.all()) sink.lost();
    vi.advanceTimersByTime(250);
    expect([asked, hub.stats.waits]).toEqual([3, 1]);
    // It does not miss what passes by in the meantime.
    storage.registerAgent(aRegistration("a"));
    const { state } = await report(State.IDLE);
    await report(State.ACTIVE);
    hub.settle();
    storage.getState = getState;
    vi.advanceTimersByTime(100);
    expect(await waiting).toEqual({ outcome: WaitOutcome.REACHED, state });
  });
});

describe("a wait that takes too long", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("fails with the last known state", async () => {
    const { storage, hub, wait, report } = await setUp();
    const unknown = wait({ timeoutMs: 1000, agentId: "nobody" });
    storage.registerAgent(aRegistration("a"));
    const known = wait({ timeoutMs: 1000 });
    const { state } = await report(State.ACTIVE);
    hub.settle();
    const failures = Promise.all([
      expect(unknown).rejects.toMatchObject({ reason: "WAIT_TIMED_OUT", lastState: undefined }),
      expect(known).rejects.toMatchObject({ reason: "WAIT_TIMED_OUT", lastState: state }),
    ]);
    await vi.advanceTimersByTimeAsync(1000);
    await failures;
    expect(hub.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not end before its time, however far that is", async () => {
    const { storage, hub, wait, report } = await setUp();
    const monthMs = 30 * 24 * 3_600_000;
    const waiting = wait({ timeoutMs: monthMs });
    storage.registerAgent(aRegistration("a"));
    await vi.advanceTimersByTimeAsync(monthMs - 1);
    const { state } = await report(State.IDLE);
    hub.settle();
    expect((await waiting).state).toEqual(state);
  });
});
