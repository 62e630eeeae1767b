import { describe, expect, it } from "vitest";
import { Readiness } from "../../src/transport/standard/readiness.js";

describe("Readiness", () => {
  it("is what the probe says, and no when it fails or does not answer", async () => {
    const answers: (() => boolean | Promise<boolean>)[] = [
      () => true,
      () => false,
      () => Promise.resolve(true),
      () => Promise.reject(new Error("away")),
      () => {
        throw new Error("away");
      },
      () => new Promise<boolean>(() => undefined),
      () => true,
    ];
    const readiness = new Readiness(() => answers.shift()?.() ?? false, { timeoutMs: 20 });
    const seen: boolean[] = [];
    for (let i = 0; i < 7; i += 1) seen.push(await readiness.check());
    expect(seen).toEqual([true, false, true, false, false, false, true]);
  });

  it("tells of changes only, and looks for them while somebody listens", async () => {
    let isUp = true;
    const readiness = new Readiness(() => isUp, { intervalMs: 5 });
    const changed = (): Promise<boolean> =>
      new Promise((resolve) => {
        const forget = readiness.onChange(() => {
          forget();
          resolve(readiness.isReady);
        });
      });
    const down = changed();
    isUp = false;
    expect(await down).toBe(false);
    const up = changed();
    isUp = true;
    expect(await up).toBe(true);
    readiness.stop();
  });

  it("is no for good once it stops", async () => {
    const readiness = new Readiness(() => true);
    let told = 0;
    readiness.onChange(() => (told += 1));
    readiness.stop();
    readiness.stop();
    expect(told).toBe(1);
    expect(await readiness.check()).toBe(false);
    expect(readiness.isReady).toBe(false);
  });
});
