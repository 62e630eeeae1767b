/**
 * The guarantees of a watch, held against a reference: random commits, watchers that open, stall, reconnect and filter, a tail
 * that lags behind each partition differently, a log that is cut short or lost, all in an order that fast-check chooses.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVERYTHING, parseSelector } from "../../src/lib/selector.js";
import type { PushSource } from "../../src/lib/push-source.js";
import { AgentChangeType, State, type Agent } from "../../src/storage/records.js";
import { BatchKind, type BatchContent } from "../../src/watch/batch.js";
import { AgentFilter, EXITED, type AgentEvent } from "../../src/watch/filters.js";
import { WatchHub } from "../../src/watch/hub.js";
import { agentTopic } from "../../src/watch/topics.js";
import { PartitionedLog } from "../helpers/partitioned-log.js";

type Content = BatchContent<AgentEvent, Agent>;

const FILTERS = [
  { name: "all", agentIds: [], selector: EVERYTHING, states: [] },
  { name: "two by id", agentIds: ["a1", "a3"], selector: EVERYTHING, states: [] },
  { name: "by label", agentIds: [], selector: parseSelector("team=red"), states: [] },
  { name: "by state", agentIds: [], selector: EVERYTHING, states: [State.IDLE] },
].map((filter) => ({ ...filter, namespace: "default", capabilities: [] }));

type Filter = (typeof FILTERS)[number];

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

const AGENTS = 5;
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

/** Everything that is due has happened: microtasks, and what waits for the next turn. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

/**
 * A reader that checks what it gets against the log's own history. One that reconnects goes on with what the reader before it
 * held, so that the guarantees are held over all connections together.
 */
class Reader {
  readonly source: PushSource<Content>;
  private token: string;
  /** Up to where each agent's changes are known to the reader, since the start or the last RESYNC. */
  private readonly held: Map<string, number>;
  private readonly received: AgentEvent[];
  private readonly snapshot: Map<string, Agent>;
  private inSnapshot: boolean;
  private synced = false;
  /** Whether the reader holds a view that began with a snapshot. */
  private hasView: boolean;
  /** Everything after it must have come; undefined when it began with a snapshot. */
  private startRevisions: readonly number[] | undefined;

  constructor(
    private readonly log: PartitionedLog,
    topic: ReturnType<typeof openTopic>,
    readonly filter: Filter,
    start: { readonly snapshot: boolean } | Reader,
  ) {
    const old = start instanceof Reader ? start : undefined;
    this.token = old?.token ?? "";
    this.held = new Map(old?.held);
    this.received = [...(old?.received ?? [])];
    this.snapshot = new Map(old?.snapshot);
    this.hasView = start instanceof Reader ? start.hasView : start.snapshot;
    this.inSnapshot = !(start instanceof Reader) && start.snapshot;
    this.startRevisions = old?.startRevisions ?? (this.hasView ? undefined : log.position.revisions);
    this.source = topic.watch(new AgentFilter(filter), {
      includeSnapshot: this.inSnapshot,
      resumeToken: this.token,
      progressIntervalMs: 3_600_000,
    });
  }

  get resumeToken(): string {
    return this.token;
  }

  take(): boolean {
    const content = this.source.take();
    if (content === undefined) return false;
    this.check(content);
    if (content.resumeToken !== "") this.token = content.resumeToken;
    return true;
  }

  /** Takes until nothing more is due: the source is empty, and a turn of the event loop makes it ready no more. */
  async drain(): Promise<void> {
    let ready = true;
    this.source.onReady(() => (ready = true));
    while (ready && !this.source.done) {
      ready = false;
      while (this.take());
      await turn();
    }
  }

  private check({ kind, events, items, resumeToken }: Content): void {
    switch (kind) {
      case BatchKind.RESYNC:
        expect(resumeToken).toBe("");
        this.inSnapshot = true;
        this.hasView = true;
        this.startRevisions = undefined;
        this.synced = false;
        this.held.clear();
        this.snapshot.clear();
        this.received.length = 0;
        this.token = "";
        break;
      case BatchKind.SNAPSHOT:
        expect(this.inSnapshot).toBe(true);
        expect(resumeToken).toBe("");
        for (const agent of items) {
          expect(this.snapshot.has(agent.record.agentId)).toBe(false);
          this.snapshot.set(agent.record.agentId, agent);
          this.held.set(agent.record.agentId, Math.max(agent.record.revision, agent.state.revision));
        }
        break;
      case BatchKind.SYNCED:
        expect(this.synced).toBe(false);
        this.synced = true;
        this.inSnapshot = false;
        expect(resumeToken).not.toBe("");
        break;
      case BatchKind.EVENTS:
        expect(events.length).toBeGreaterThan(0);
        if (this.synced) expect(resumeToken).not.toBe("");
        for (const event of events) {
          const { agentId } = event.state;
          // Ordered and once: each event of an agent is newer than all that is held of it.
          expect(event.revision).toBeGreaterThan(this.held.get(agentId) ?? 0);
          this.held.set(agentId, event.revision);
          this.received.push(event);
        }
        break;
      case BatchKind.PROGRESS:
        expect(resumeToken).not.toBe("");
        break;
    }
  }

  /** After everything was drained. */
  verify(): void {
    expect(this.synced).toBe(true);
    const filter = new AgentFilter(this.filter);
    const all = this.log.history.map((change) => filter.match(change)).filter((event) => event !== undefined);
    for (let i = 0; i < AGENTS; i++) {
      const about = ({ state }: AgentEvent): boolean => state.agentId === `a${i}`;
      const seen = this.received.filter(about).map(describeEvent);
      // Ordered and gapless: what came is an unbroken end of what there is.
      if (seen.length > 0) expect(seen).toEqual(all.filter(about).map(describeEvent).slice(-seen.length));
    }
    const { startRevisions } = this;
    if (startRevisions !== undefined) {
      const due = all.filter(({ partition, revision }) => revision > (startRevisions[partition] ?? 0));
      expect(this.received.map(describeEvent).sort()).toEqual(due.map(describeEvent).sort());
    }
    if (this.hasView) this.verifyView(filter);
  }

  /** The snapshot and the events after it give what the log has now. */
  private verifyView(filter: AgentFilter): void {
    const { states } = this.filter;
    const view = new Map([...this.snapshot].map(([id, { state }]) => [id, state.revision]));
    for (const { type, state } of this.received) {
      const gone = type === AgentChangeType.DEREGISTERED || type === EXITED;
      const wanted = states.length === 0 || states.some((each) => each === state.state);
      if (gone || !wanted) view.delete(state.agentId);
      else view.set(state.agentId, state.revision);
    }
    const now = new Map<string, number>();
    for (let i = 0; i < AGENTS; i++) {
      const agent = this.log.agent(`a${i}`);
      if (agent !== undefined && filter.admits(agent)) now.set(`a${i}`, agent.state.revision);
    }
    expect([...view].sort()).toEqual([...now].sort());
  }
}

function describeEvent({ type, partition, revision, state }: AgentEvent): string {
  return `${state.agentId} ${partition}/${revision} type ${type}`;
}

function openTopic(hub: WatchHub) {
  return hub.topic({ ...agentTopic, present: (content: Content) => content });
}

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
