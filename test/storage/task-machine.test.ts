import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as common from "../../gen/opscore/v1/common_pb.js";
import * as taskService from "../../gen/opscore/v1/task_service_pb.js";
import type { JsonObject } from "../../src/lib/json.js";
import { SessionStatus, TaskDelivery, TaskStatus, type RetryPolicy } from "../../src/storage/records.js";
import {
  backoffMs,
  collectResults,
  isTaskEnded,
  sessionEnd,
  TASK_TRANSITIONS,
  taskStatusName,
} from "../../src/storage/task-machine.js";
import { MAX_COLLECTED_BYTES } from "../../src/storage/tasks.js";

const statuses: readonly TaskStatus[] = Object.values(TaskStatus);

/** Rows: from; columns: to; in the order of the enumeration. As the proto file has it. */
const TASK_TABLE = `
  PENDING    . x . . . x
  READY      . . x . . x
  LEASED     . x . x x x
  COMPLETED  . . . . . .
  FAILED     . x . . . .
  CANCELLED  . . . . . .`;

describe("the transitions of a task", () => {
  it("are those that its comments promise", () => {
    const cell = (from: TaskStatus, to: TaskStatus) => (TASK_TRANSITIONS[from].includes(to) ? "x" : ".");
    const printed = statuses.map(
      (from) => `\n  ${taskStatusName(from).padEnd(11)}${statuses.map((to) => cell(from, to)).join(" ")}`,
    );
    expect(printed.join("")).toBe(TASK_TABLE);
  });

  it("end where nothing leads on but a retry by hand", () => {
    expect(statuses.filter(isTaskEnded)).toEqual([TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED]);
    for (const status of statuses) {
      const isDeadLetter = status === TaskStatus.FAILED;
      expect(isTaskEnded(status)).toBe(isDeadLetter || TASK_TRANSITIONS[status].length === 0);
    }
  });

  it("have names, and ones that are not known still print", () => {
    expect(statuses.map(taskStatusName)).toEqual(Object.keys(TaskStatus));
    const unknown = 99 as TaskStatus;
    expect(taskStatusName(unknown)).toBe("TASK_STATUS_99");
  });

  it("are between the numbers of the wire", () => {
    /** The names of a generated enumeration with their numbers. */
    const wire = (values: Readonly<Record<string, string | number>>) =>
      Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value === "number"));
    expect({ UNSPECIFIED: 0, ...TaskStatus }).toEqual(wire(taskService.TaskStatus));
    const { AUTO, ...deliveries } = TaskDelivery;
    expect({ UNSPECIFIED: AUTO, ...deliveries }).toEqual(wire(common.TaskDelivery));
  });
});

describe("the backoff of a task", () => {
  const policy = (fields: Partial<RetryPolicy> = {}): RetryPolicy => ({
    maxAttempts: 100,
    initialBackoffMs: 1_000,
    maxBackoffMs: 60_000,
    multiplier: 2,
    ...fields,
  });
  const waits = (fields: Partial<RetryPolicy>, jitter = 0) =>
    [1, 2, 3, 4, 7, 99].map((failures) => backoffMs(policy(fields), failures, jitter));

  it.each<[string, Partial<RetryPolicy>, number, number[]]>([
    ["the default doubles up to a minute", {}, 0, [1_000, 2_000, 4_000, 8_000, 60_000, 60_000]],
    ["a multiplier of 1", { multiplier: 1 }, 0, [1_000, 1_000, 1_000, 1_000, 1_000, 1_000]],
    ["a part of a millisecond", { initialBackoffMs: 1, multiplier: 1.5 }, 0, [1, 2, 2, 3, 11, 60_000]],
    ["no backoff", { initialBackoffMs: 0, multiplier: 10 }, 0.9, [0, 0, 0, 0, 0, 0]],
    ["a bound below the beginning", { maxBackoffMs: 10 }, 0, [10, 10, 10, 10, 10, 10]],
    ["no bound at all", { maxBackoffMs: 0 }, 0, [0, 0, 0, 0, 0, 0]],
    ["half of the random part", {}, 0.5, [1_100, 2_200, 4_400, 8_800, 66_000, 66_000]],
    ["the steepest", { multiplier: 10, maxBackoffMs: 86_400_000 }, 0, [1e3, 1e4, 1e5, 1e6, 86_400_000, 86_400_000]],
  ])("%s", (_what, fields, jitter, expected) => {
    expect(waits(fields, jitter)).toEqual(expected);
  });

  it("is whole, bounded, longer with every failure and with every bit of chance", () => {
    const retry = fc.record({
      maxAttempts: fc.constant(100),
      initialBackoffMs: fc.nat(3_600_000),
      maxBackoffMs: fc.nat(86_400_000),
      multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
    });
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(retry, fc.integer({ min: 1, max: 99 }), chance, chance, (retry, failures, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const wait = backoffMs(retry, failures, less);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(Math.min(retry.maxBackoffMs, retry.initialBackoffMs));
        expect(wait).toBeLessThanOrEqual(Math.round(retry.maxBackoffMs * 1.2));
        expect(backoffMs(retry, failures, more)).toBeGreaterThanOrEqual(wait);
        expect(backoffMs(retry, failures + 1, less)).toBeGreaterThanOrEqual(wait);
      }),
    );
  });
});

describe("the end of a session with tasks", () => {
  it.each([
    [{ open: 1, failed: 0, cancelled: 0 }, undefined],
    [{ open: 1, failed: 5, cancelled: 5 }, undefined],
    [{ open: 0, failed: 0, cancelled: 0 }, SessionStatus.COMPLETED],
    [{ open: 0, failed: 1, cancelled: 0 }, SessionStatus.FAILED],
    [{ open: 0, failed: 0, cancelled: 1 }, SessionStatus.CANCELLED],
    [{ open: 0, failed: 1, cancelled: 9 }, SessionStatus.FAILED],
  ])("with %o is %s", (counts, expected) => {
    expect(sessionEnd(counts)).toBe(expected);
  });
});

describe("results that are put together", () => {
  const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
  /** A result that takes, with an id of one letter, so many bytes. */
  const filling = (bytes: number): JsonObject => ({ x: "x".repeat(bytes - 5 - bytesOf({ x: "" })) });

  it("stand under their tasks' names in the order in which they came, empty ones too", () => {
    const collected = collectResults([
      ["b", { n: 1 }],
      ["__proto__", { n: 2 }],
      ["a", undefined],
    ]);
    expect(Object.entries(collected ?? {})).toEqual([
      ["b", { n: 1 }],
      ["__proto__", { n: 2 }],
      ["a", {}],
    ]);
    expect(JSON.stringify(collected)).toBe('{"b":{"n":1},"__proto__":{"n":2},"a":{}}');
  });

  it("are nothing where there is none, or none that fits", () => {
    expect(collectResults([])).toBeUndefined();
    expect(collectResults([["a", filling(MAX_COLLECTED_BYTES - 1)]])).toBeUndefined();
  });

  it("fill the room to the byte, and no further", () => {
    expect(collectResults([["a", filling(MAX_COLLECTED_BYTES - 2)]])).toBeDefined();
    const rest = MAX_COLLECTED_BYTES - 2 - 1_000;
    const both = collectResults([
      ["a", filling(1_000)],
      ["b", filling(rest)],
    ]);
    expect(Object.keys(both ?? {})).toEqual(["a", "b"]);
    // The last one has no comma after it.
    expect(bytesOf(both)).toBe(MAX_COLLECTED_BYTES - 1);
    const one = collectResults([
      ["a", filling(1_000)],
      ["b", filling(rest + 1)],
      ["c", filling(rest)],
    ]);
    expect(Object.keys(one ?? {})).toEqual(["a", "c"]);
  });

  it("never take more than there is room for, keep what they are, and leave out only what did not fit", () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom(...[100, 9_000, 33_000, 64_000, 65_500].map((length) => "é".repeat(length / 2))),
    );
    const results = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[A-Za-z0-9._:-]{1,12}$/), fc.option(text)), {
      selector: ([taskId]) => taskId,
      maxLength: 12,
    });
    fc.assert(
      fc.property(results, (texts) => {
        const all = texts.map(([taskId, value]) => [taskId, value === null ? undefined : { value }] as const);
        const collected = collectResults(all);
        if (collected !== undefined) expect(bytesOf(collected)).toBeLessThanOrEqual(MAX_COLLECTED_BYTES);
        let bytes = 2;
        for (const [taskId, result = {}] of all) {
          const added = bytesOf({ [`k${taskId}`]: result }) - 2;
          const isIn = collected !== undefined && Object.hasOwn(collected, taskId);
          if (isIn) {
            expect(collected[taskId]).toEqual(result);
            bytes += added;
          } else {
            expect(bytes + added).toBeGreaterThan(MAX_COLLECTED_BYTES);
          }
        }
      }),
    );
  });
});
