/** What ReportStates answers. */
import { beforeEach, describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import type { ReportStatesResponse } from "../../gen/opscore/v1/state_service_pb.js";
import { GrpcCode } from "../../src/errors/index.js";
import { createHarness, failure, Outbox, type Harness } from "./harness.js";
import { collect, idle, open, report, summary, type Request } from "./reports.js";

let h: Harness;
let outbox: Outbox<Request>;
beforeEach(async () => {
  h = createHarness();
  outbox = new Outbox();
  await h.agents.registerAgent({ agentId: "a" });
});

describe("ReportStates", () => {
  test("answers each report, in order, and ends when the caller does", async () => {
    outbox.send(report("a", State.IDLE), report("a", State.ACTIVE), report("a", State.ACTIVE));
    outbox.close();
    const answers = await collect(h, outbox);
    expect(answers.map(summary)).toEqual(["0 accepted IDLE", "1 accepted ACTIVE", "2 accepted ACTIVE"]);
    expect(answers.map(({ result }) => result.case === "accepted" && result.value.changed)).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("ends without reports", async () => {
    outbox.close();
    expect(await collect(h, outbox)).toEqual([]);
  });

  test("answers while the caller keeps the stream open", async () => {
    const next = open(h, outbox);
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
    const answers = await collect(h, outbox);
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
    const [answer] = await collect(h, outbox);
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
    const answers = await collect(broken, outbox);
    expect(answers.map(summary)).toEqual(["0 failed INTERNAL", "1 failed INTERNAL", "2 accepted IDLE"]);
    expect(JSON.stringify(answers.slice(0, 2).map(({ result }) => result.value?.$typeName))).not.toContain("defect");
    expect(broken.defects).toEqual([defect, defect]);
  });

  test("answers a report for an agent that comes later, and those behind it after it", async () => {
    const next = open(h, outbox);
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
    const answers = collect(h, outbox);
    await idle();
    await h.agents.registerAgent({ agentId: "late" });
    expect((await answers).map(summary)).toEqual(["0 accepted IDLE", "1 accepted IDLE"]);
  });

  test("answers what was read before the caller's stream broke, then fails", async () => {
    const broken = new Error("the stream broke");
    outbox.send(report("a", State.IDLE));
    outbox.fail(broken);
    const next = open(h, outbox);
    expect((await next()).value).toMatchObject({ index: 0n });
    await expect(next()).rejects.toBe(broken);
  });
});
