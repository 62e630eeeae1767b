/** A server that is closed, or whose start is called off, while it waits for its storage. */
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { build, loadConfig, type Config } from "../../src/server.js";
import { Server } from "../../src/server/server.js";
import { systemClock } from "../../src/lib/clock.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import type { LogTail, Storage } from "../../src/storage/storage.js";

const config: Config = { ...loadConfig(), port: 0, drainTimeoutMs: 100 };
const logger = pino({ level: "silent" });

/** What a start asks of its storage, in this order. */
const STEPS = ["the hub's tail", "the scheduler's tail", "the search for work"] as const;

/** A storage that answers one step of the start only when it is let go. */
function stalling(step: (typeof STEPS)[number]) {
  const memory = createMemoryStorage();
  const tails: LogTail[] = [];
  let tailCalls = 0;
  let closed = 0;
  let release: () => void = () => undefined;
  let stall: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const stalled = new Promise<void>((resolve) => (stall = resolve));
  const when = async (isHeld: boolean) => {
    if (!isHeld) return;
    stall();
    await released;
  };
  const storage = Object.create(memory, {
    tail: {
      value: async (listener: Parameters<Storage["tail"]>[0]): Promise<LogTail> => {
        await when(step === STEPS[tailCalls++]);
        const tail = memory.tail(listener);
        const counted: LogTail = {
          start: tail.start,
          close: async () => {
            closed += 1;
            await tail.close();
          },
        };
        tails.push(counted);
        return counted;
      },
    },
    snapshotTasks: {
      value: async (query: Parameters<Storage["snapshotTasks"]>[0]) => {
        await when(step === "the search for work");
        return memory.snapshotTasks(query);
      },
    },
  }) as Storage;
  return { storage, stalled, release, open: () => tails.length - closed };
}

describe.each(STEPS)("while %s does not answer", (step) => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] }));
  afterEach(() => void vi.useRealTimers());

  it("a server that is closed leaves nothing running, and its start fails", async () => {
    const { storage, stalled, release, open } = stalling(step);
    const server = new Server({ config, storage, status: undefined, ownsStorage: false, clock: systemClock, logger });
    const started = expect(server.start()).rejects.toMatchObject({ reason: "SERVER_STOPPING" });
    await stalled;
    const closed = server.close();
    release();
    await Promise.all([started, closed]);
    await server.close();
    expect([open(), vi.getTimerCount()]).toEqual([0, 0]);
  });

  it("a start that is called off ends at once, and leaves nothing running", async () => {
    const { storage, stalled, release, open } = stalling(step);
    const stop = new AbortController();
    const why = new Error("called off");
    const built = expect(build(config, { storage, logger, signal: stop.signal })).rejects.toBe(why);
    await stalled;
    stop.abort(why);
    await built;
    release();
    await new Promise((resolve) => setImmediate(resolve));
    expect([open(), vi.getTimerCount()]).toEqual([0, 0]);
  });
});
