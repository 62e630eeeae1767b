import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import {
  ReportStatesRequestSchema,
  StateService,
  type ReportStatesRequest,
  type ReportStatesResponse,
  type SetStateRequestSchema,
} from "../../gen/opscore/v1/state_service_pb.js";
import { GrpcCode } from "../../src/errors/index.js";
import { feed, ReportStream } from "../../src/services/report-stream.js";
import { CALLER, contextFor, createHarness, failure, Outbox, type Harness } from "./harness.js";

type Report = MessageInitShape<typeof SetStateRequestSchema>;
type Request = MessageInitShape<typeof ReportStatesRequestSchema>;

let h: Harness;
let outbox: Outbox<Request>;
beforeEach(async () => {
  h = createHarness();
  outbox = new Outbox();
  await h.agents.registerAgent({ agentId: "a" });
});

const report = (agentId: string, state: State, more: Report = {}): Request => ({
  report: { agentId, state, ...more },
});

/** Opens the stream. What it returns takes one answer. */
function open(harness: Harness = h): () => Promise<IteratorResult<ReportStatesResponse>> {
  const answers = harness.states.reportStates(outbox)[Symbol.asyncIterator]();
  return () => answers.next();
}

async function collect(harness: Harness = h): Promise<ReportStatesResponse[]> {
  const answers: ReportStatesResponse[] = [];
  for await (const answer of harness.states.reportStates(outbox)) answers.push(answer);
  return answers;
}

async function* requestsOf(requests: AsyncIterable<Request>): AsyncGenerator<ReportStatesRequest> {
  for await (const request of requests) yield create(ReportStatesRequestSchema, request);
}

function summary({ index, result }: ReportStatesResponse): string {
  const what = result.case === "accepted" ? State[result.value.state?.state ?? 0] : result.value?.reason;
  return `${index} ${result.case} ${what}`;
}

/** Lets everything that is ready run: what is asserted after it did not happen, rather than not yet. */
const idle = () => new Promise((resolve) => setImmediate(resolve));

describe("ReportStates", () => {
  test("answers each report, in order, and ends when the caller does", async () => {
    outbox.send(report("a", State.IDLE), report("a", State.ACTIVE), report("a", State.ACTIVE));
    outbox.close();
    const answers = await collect();
    expect(answers.map(summary)).toEqual(["0 accepted IDLE", "1 accepted ACTIVE", "2 accepted ACTIVE"]);
    expect(answers.map(({ result }) => result.case === "accepted" && result.value.changed)).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("ends without reports", async () => {
    outbox.close();
    expect(await collect()).toEqual([]);
  });

  test("answers while the caller keeps the stream open", async () => {
    const next = open();
    for (const state of [State.IDLE, State.ACTIVE, State.IDLE]) {
      const answer = next();
      outbox.send(report("a", state));
      expect((await answer).value).toMatchObject({ result: { case: "accepted", value: { state: { state } } } });
    }
    outbox.close();
    expect(await next()).toEqual({ done: true, value: undefined });
  });

  test("writes what the caller is allowed to write", async () => {
    outbox.send(report("a", State.IDLE));
    outbox.close();
    for await (const answer of h.as({ actor: "somebody" }).states.reportStates(outbox)) {
      expect(answer.result).toMatchObject({ case: "accepted", value: { state: { actor: "somebody" } } });
    }
  });

  test("answers a report that fails with its failure, and goes on", async () => {
    outbox.send(
      report("a", State.FINISHED),
      report("a", State.IDLE),
      report("nobody", State.IDLE, { waitForRegistration: {} }),
      report("not an id", State.UNSPECIFIED, { sequence: -1n }),
      {},
      report("a", State.FINISHED),
    );
    outbox.close();
    const answers = await collect();
    expect(answers.map(summary)).toEqual([
      "0 accepted FINISHED",
      "1 failed ILLEGAL_TRANSITION",
      "2 failed AGENT_NOT_FOUND",
      "3 failed INVALID_FIELD",
      "4 failed INVALID_FIELD",
      "5 accepted FINISHED",
    ]);
    expect(answers[1]?.result.value).toMatchObject({
      code: GrpcCode.FAILED_PRECONDITION,
      message: "agent a is FINISHED and cannot become IDLE",
      metadata: { from: "FINISHED", to: "IDLE" },
    });
    expect(answers[3]?.result.value).toMatchObject({
      code: GrpcCode.INVALID_ARGUMENT,
      message: "agent_id must be 1 to 128 characters of [A-Za-z0-9._:-] (and 2 more)",
    });
    expect(answers[4]?.result.value).toMatchObject({ message: "report must be set" });
  });

  test("gives the same failure as the unary call", async () => {
    outbox.send(report("a", State.IDLE, { incarnation: 9n }));
    outbox.close();
    const [answer] = await collect();
    const unary = await failure("UNKNOWN_INCARNATION", () =>
      h.states.setState({ agentId: "a", state: State.IDLE, incarnation: 9n }),
    );
    expect(answer?.result.value).toMatchObject({
      code: GrpcCode[unary.code],
      reason: unary.reason,
      message: unary.message,
      metadata: unary.metadata,
    });
  });

  test("answers a defect with INTERNAL and tells of it, and goes on", async () => {
    const defect = new Error("a defect");
    const broken = createHarness({
      wrap: (storage) => {
        const setState = storage.setState.bind(storage);
        return Object.assign(storage, {
          setState: (command: Parameters<typeof setState>[0]) => {
            if (command.reason === "Throw") throw defect;
            if (command.reason === "Reject") return Promise.reject(defect);
            return setState(command);
          },
        });
      },
    });
    await broken.agents.registerAgent({ agentId: "a" });
    const reasons = ["Throw", "Reject", "Fine"];
    outbox.send(...reasons.map((reason) => report("a", State.IDLE, { reason })));
    outbox.close();
    const answers = await collect(broken);
    expect(answers.map(summary)).toEqual(["0 failed INTERNAL", "1 failed INTERNAL", "2 accepted IDLE"]);
    expect(JSON.stringify(answers.slice(0, 2).map(({ result }) => result.value?.$typeName))).not.toContain("defect");
    expect(broken.defects).toEqual([defect, defect]);
  });

  test("answers a report for an agent that comes later, and those behind it after it", async () => {
    const next = open();
    outbox.send(report("late", State.IDLE), report("a", State.ACTIVE), report("late", State.ACTIVE));
    const first = next();
    await idle();
    // The answer waits for its turn; the report does not.
    expect((await h.states.getState({ agentId: "a" })).state?.state).toBe(State.ACTIVE);
    await h.agents.registerAgent({ agentId: "late" });
    const answers = [await first, await next(), await next()];
    expect(answers.map(({ value }) => summary(value as ReportStatesResponse))).toEqual([
      "0 accepted IDLE",
      "1 accepted ACTIVE",
      "2 accepted ACTIVE",
    ]);
    expect((await h.states.getState({ agentId: "late" })).state?.state).toBe(State.ACTIVE);
  });

  test("answers what was read before the caller closed its side, however late", async () => {
    outbox.send(report("late", State.IDLE), report("a", State.IDLE));
    outbox.close();
    const answers = collect();
    await idle();
    await h.agents.registerAgent({ agentId: "late" });
    expect((await answers).map(summary)).toEqual(["0 accepted IDLE", "1 accepted IDLE"]);
  });

  test("answers what was read before the caller's stream broke, then fails", async () => {
    const broken = new Error("the stream broke");
    outbox.send(report("a", State.IDLE));
    outbox.fail(broken);
    const next = open();
    expect((await next()).value).toMatchObject({ index: 0n });
    await expect(next()).rejects.toBe(broken);
  });
});

describe("ReportStates holds back", () => {
  test("reading after so many unanswered reports, until answers are taken", async () => {
    const limited = createHarness({ limits: { unansweredReports: 3 } });
    await limited.agents.registerAgent({ agentId: "a" });
    const states = [State.IDLE, State.ACTIVE];
    outbox.send(...Array.from({ length: 10 }, (_, i) => report("a", states[i % 2] ?? State.IDLE)));
    const next = open(limited);
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
    const answers = collect(limited);
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
    const answers = collect(limited);
    await idle();
    expect(outbox.taken).toBe(2);
    await limited.agents.registerAgent({ agentId: "late" });
    expect(await answers).toHaveLength(7);
  });

  test("1,024 reports unless configured otherwise", async () => {
    outbox.send(...Array.from({ length: 1_100 }, () => report("a", State.IDLE)));
    const next = open();
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
    const next = open();
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
    const next = open();
    outbox.send(report("late", State.IDLE));
    const first = next();
    await idle();
    h.services.stopReports();
    await h.storage.close();
    expect((await first).value).toMatchObject({ result: { case: "failed", value: { reason: "SERVER_STOPPING" } } });
    await failure("SERVER_STOPPING", next);
  });
});
