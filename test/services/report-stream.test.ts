/** How ReportStates holds back what it cannot take yet, and how it ends. */
import { beforeEach, describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { feed, ReportStream } from "../../src/services/report-stream.js";
import { CALLER, contextFor, createHarness, failure, Outbox, type Harness } from "./harness.js";
import { collect, idle, open, report, requestsOf, type Request } from "./reports.js";

let h: Harness;
let outbox: Outbox<Request>;
beforeEach(async () => {
  h = createHarness();
  outbox = new Outbox();
  await h.agents.registerAgent({ agentId: "a" });
});

describe("ReportStates holds back", () => {
  test("reading after so many unanswered reports, until answers are taken", async () => {
    const limited = createHarness({ limits: { unansweredReports: 3 } });
    await limited.agents.registerAgent({ agentId: "a" });
    const states = [State.IDLE, State.ACTIVE];
    outbox.send(...Array.from({ length: 10 }, (_, i) => report("a", states[i % 2] ?? State.IDLE)));
    const next = open(limited, outbox);
    expect((await next()).value).toMatchObject({ index: 0n });
    await idle();
    // One answer was taken, three more wait.
    expect(outbox.taken).toBe(4);
    await next();
    await idle();
    expect(outbox.taken).toBe(5);
    outbox.close();
    for (let index = 2n; index < 10n; index++) expect((await next()).value).toMatchObject({ index });
    expect((await next()).done).toBe(true);
  });

  test("reading while held reports fill the stream, and goes on when they are answered", async () => {
    const limited = createHarness({ limits: { unansweredReports: 3 } });
    outbox.send(...Array.from({ length: 7 }, () => report("late", State.IDLE)));
    outbox.close();
    const answers = collect(limited, outbox);
    await idle();
    expect(outbox.taken).toBe(3);
    await limited.agents.registerAgent({ agentId: "late" });
    expect((await answers).map(({ index }) => index)).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
  });

  test("reading while the unanswered reports are too large", async () => {
    const limited = createHarness({ limits: { unansweredBytes: 5_000 } });
    const details = { text: "x".repeat(1_000) };
    const message = "y".repeat(1_000);
    outbox.send(...Array.from({ length: 7 }, () => report("late", State.IDLE, { details, message })));
    outbox.close();
    const answers = collect(limited, outbox);
    await idle();
    expect(outbox.taken).toBe(2);
    await limited.agents.registerAgent({ agentId: "late" });
    expect(await answers).toHaveLength(7);
  });

  test("1,024 reports unless configured otherwise", async () => {
    outbox.send(...Array.from({ length: 1_100 }, () => report("a", State.IDLE)));
    const next = open(h, outbox);
    await next();
    await idle();
    expect(outbox.taken).toBe(1_025);
  });
});

describe("ReportStates ends", () => {
  const openWithSignal = (signal: AbortSignal) => {
    const context = contextFor(StateService.method.reportStates, CALLER, signal);
    return h.services.states.reportStates(requestsOf(outbox), context)[Symbol.asyncIterator]();
  };

  test("at once when the caller goes away, keeping what was applied", async () => {
    const caller = new AbortController();
    const answers = openWithSignal(caller.signal);
    outbox.send(report("late", State.IDLE), report("a", State.IDLE));
    const first = answers.next();
    await idle();
    caller.abort();
    expect(await first).toEqual({ done: true, value: undefined });
    expect((await h.states.getState({ agentId: "a" })).state?.state).toBe(State.IDLE);
    await h.agents.registerAgent({ agentId: "late" });
    expect((await h.states.getState({ agentId: "late" })).state?.state).toBe(State.IDLE);
  });

  test("for a caller that had gone before it began", async () => {
    expect((await openWithSignal(AbortSignal.abort()).next()).done).toBe(true);
  });

  test("at once when the consumer stops, and reads no further", async () => {
    const answers = openWithSignal(new AbortController().signal);
    outbox.send(report("a", State.IDLE));
    await answers.next();
    await answers.return?.();
    outbox.send(report("a", State.ACTIVE));
    await idle();
    expect((await h.states.getState({ agentId: "a" })).state?.state).toBe(State.IDLE);
    expect((await answers.next()).done).toBe(true);
  });

  test("reading, when nothing more is wanted, whatever it was waiting for", async () => {
    const limits = { unansweredReports: 1, unansweredBytes: Infinity };
    const held = new Promise<never>(() => undefined);
    const ends: string[] = [];
    const stream = new ReportStream({
      apply: () => held,
      limits,
      onDefect: (_errorId, thrown) => ends.push(String(thrown)),
      onEnd: () => ends.push("end"),
    });
    outbox.send(report("a", State.IDLE), report("a", State.ACTIVE));
    feed(stream, requestsOf(outbox));
    await idle();
    stream.cancel();
    // The feeder waited for room; it returns, and reads nothing more.
    await idle();
    stream.stop();
    expect(outbox.taken).toBe(1);
    expect(ends).toEqual(["end"]);
    expect(stream.failure).toBeUndefined();
  });

  test("with SERVER_STOPPING, after the answers to what was read", async () => {
    const next = open(h, outbox);
    outbox.send(report("late", State.IDLE), report("a", State.IDLE));
    const first = next();
    await idle();
    h.services.stopReports();
    outbox.send(report("a", State.ACTIVE));
    await idle();
    await h.agents.registerAgent({ agentId: "late" });
    expect((await first).value).toMatchObject({ index: 0n });
    expect((await next()).value).toMatchObject({ index: 1n });
    await failure("SERVER_STOPPING", next);
    expect((await h.states.getState({ agentId: "a" })).state?.state).toBe(State.IDLE);
    h.services.stopReports();
  });

  test("with SERVER_STOPPING for reports that are still held when the storage closes", async () => {
    const next = open(h, outbox);
    outbox.send(report("late", State.IDLE));
    const first = next();
    await idle();
    h.services.stopReports();
    await h.storage.close();
    expect((await first).value).toMatchObject({ result: { case: "failed", value: { reason: "SERVER_STOPPING" } } });
    await failure("SERVER_STOPPING", next);
  });
});
