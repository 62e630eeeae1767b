import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { AnswerQueue, type Slot } from "../../src/services/answer-queue.js";

describe("an answer queue", () => {
  test("gives answers in the order of their places, whatever the order in which they come", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 300, size: "max" }), (picks) => {
        const queue = new AnswerQueue<number>(Infinity, Infinity);
        const open: { slot: Slot<number>; index: number }[] = [];
        const given: number[] = [];
        const drain = () => {
          for (let answer = queue.shift(); answer !== undefined; answer = queue.shift()) given.push(answer);
        };
        picks.forEach((pick, index) => {
          open.push({ slot: queue.append(), index });
          // Half of the time something is answered, not always the oldest.
          const [chosen] = pick % 2 === 0 ? open.splice(pick % open.length, 1) : [];
          if (chosen !== undefined) chosen.slot.answer = chosen.index;
          if (pick % 3 === 0) drain();
        });
        for (const { slot, index } of open) slot.answer = index;
        drain();
        expect(given).toEqual(picks.map((_, index) => index));
        expect(queue.isEmpty).toBe(true);
        expect(queue.isReady).toBe(false);
      }),
    );
  });

  test("is full by count until an answer is taken", () => {
    const queue = new AnswerQueue<string>(2, Infinity);
    const first = queue.append();
    expect(queue.isFull).toBe(false);
    queue.append().answer = "second";
    expect(queue.isFull).toBe(true);
    expect(queue.shift()).toBeUndefined();
    first.answer = "first";
    expect(queue.isReady).toBe(true);
    expect(queue.shift()).toBe("first");
    expect(queue.isFull).toBe(false);
  });

  test("is full by size until enough is taken", () => {
    const queue = new AnswerQueue<string>(Infinity, 100);
    for (const bytes of [60, 60]) {
      const slot = queue.append();
      queue.weigh(slot, bytes);
      slot.answer = "x";
    }
    expect(queue.isFull).toBe(true);
    queue.shift();
    expect(queue.isFull).toBe(false);
  });

  test("forgets everything when it is cleared", () => {
    const queue = new AnswerQueue<string>(1, 1);
    queue.weigh(queue.append(), 5);
    queue.clear();
    expect(queue.isFull).toBe(false);
    expect(queue.isEmpty).toBe(true);
  });
});
