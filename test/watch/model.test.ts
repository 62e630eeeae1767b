/**
 * The guarantees of a watch, held against a reference: random commits, watchers that open, stall, reconnect and filter, a tail
 * that lags behind each partition differently, a log that is cut short or lost, all in an order that fast-check chooses.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVERYTHING, parseSelector } from "../../src/lib/selector.js";
import { State } from "../../src/storage/records.js";
import { WatchHub } from "../../src/watch/hub.js";
import { PartitionedLog } from "../helpers/partitioned-log.js";
import { AGENTS, openTopic, Reader, turn } from "./model-reader.js";

const FILTERS = [
  { name: "all", agentIds: [], selector: EVERYTHING, states: [] },
  { name: "two by id", agentIds: ["a1", "a3"], selector: EVERYTHING, states: [] },
  { name: "by label", agentIds: [], selector: parseSelector("team=red"), states: [] },
  { name: "by state", agentIds: [], selector: EVERYTHING, states: [State.IDLE] },
].map((filter) => ({ ...filter, namespace: "default", capabilities: [] }));

type Step =
  | { readonly do: "commit"; readonly agent: number; readonly state: State; readonly label: string | undefined }
  | { readonly do: "remove"; readonly agent: number }
  | { readonly do: "deliver"; readonly partition: number; readonly count: number }
  | { readonly do: "open"; readonly watcher: number; readonly filter: number; readonly snapshot: boolean }
  | { readonly do: "take"; readonly watcher: number; readonly count: number }
  | { readonly do: "reconnect"; readonly watcher: number }
  | { readonly do: "turn" }
  | { readonly do: "truncate" }
  | { readonly do: "lose" };

const WATCHERS = 3;

const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      agent: fc.nat(AGENTS - 1),
      state: fc.constantFrom(State.IDLE, State.ACTIVE, State.ERROR),
      label: fc.option(fc.constantFrom("red", "blue"), { nil: undefined, freq: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), agent: fc.nat(AGENTS - 1) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      partition: fc.nat(2),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("open" as const),
      watcher: fc.nat(WATCHERS - 1),
      filter: fc.nat(FILTERS.length - 1),
      snapshot: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("take" as const),
      watcher: fc.nat(WATCHERS - 1),
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("reconnect" as const), watcher: fc.nat(WATCHERS - 1) }) },
  { weight: 8, arbitrary: fc.constant({ do: "turn" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "truncate" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "lose" as const }) },
) satisfies fc.Arbitrary<Step>;

async function run(steps: readonly Step[], partitions: number, windowSize: number): Promise<number> {
  const log = new PartitionedLog(partitions);
  const hub = new WatchHub(log, { windowSize, maxQueuedEvents: 3 });
  await hub.start();
  const topic = openTopic(hub);
  const readers: (Reader | undefined)[] = new Array<undefined>(WATCHERS).fill(undefined);
  let verified = 0;
  for (const each of steps) {
    switch (each.do) {
      case "commit":
        log.commit(`a${each.agent}`, each.state, each.label === undefined ? undefined : { team: each.label });
        break;
      case "remove":
        log.remove(`a${each.agent}`);
        break;
      case "deliver":
        log.deliver(each.partition % partitions, each.count);
        break;
      case "open": {
        readers[each.watcher]?.source.cancel();
        const filter = FILTERS[each.filter];
        if (filter !== undefined) {
          readers[each.watcher] = new Reader(log, topic, filter, { snapshot: each.snapshot });
        }
        // The position of a fresh watch is asked for now and answered a microtask later.
        await turn();
        break;
      }
      case "take":
        for (let i = 0; i < each.count; i++) {
          readers[each.watcher]?.take();
          await Promise.resolve();
        }
        break;
      case "reconnect": {
        const old = readers[each.watcher];
        if (old === undefined || old.resumeToken === "") break;
        old.source.cancel();
        readers[each.watcher] = new Reader(log, topic, old.filter, old);
        break;
      }
      case "turn":
        await turn();
        break;
      case "truncate":
        log.truncate();
        break;
      case "lose":
        log.lose();
        break;
    }
  }
  log.deliverAll();
  for (const reader of readers) {
    if (reader === undefined) continue;
    await reader.drain();
    if (!reader.source.done) reader.verify();
    verified += 1;
    reader.source.cancel();
  }
  expect(hub.size).toBe(0);
  await hub.stop();
  return verified;
}

describe("watch guarantees", () => {
  for (const [partitions, windowSize] of [
    [1, 64],
    [1, 2],
    [3, 64],
    [3, 2],
  ] as const) {
    it(`ordered, gapless and once with ${partitions} partitions and a window of ${windowSize}`, async () => {
      let verified = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120 }), async (steps) => {
          verified += await run(steps, partitions, windowSize);
        }),
        { numRuns: 800 },
      );
      expect(verified).toBeGreaterThan(800);
    });
  }
});
