/** Watchers that begin together read one snapshot. */
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import { EVERYTHING } from "../../src/lib/selector.js";
import type { PushSource } from "../../src/lib/push-source.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { State, type Agent } from "../../src/storage/records.js";
import type { ChangeLog, Snapshot, SnapshotPage } from "../../src/storage/storage.js";
import { BatchKind, type BatchContent } from "../../src/watch/batch.js";
import { AgentFilter, type AgentEvent } from "../../src/watch/filters.js";
import { WatchHub } from "../../src/watch/hub.js";
import { agentTopic } from "../../src/watch/topics.js";
import { PartitionedLog } from "../helpers/partitioned-log.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../helpers/records.js";

type Content = BatchContent<AgentEvent, Agent>;
type Open = (log: ChangeLog) => Snapshot<Agent> | Promise<Snapshot<Agent>>;

/** A memory storage with so many agents, whose snapshots are counted. */
async function setUp(agents: number, open?: (log: ChangeLog, opened: number) => ReturnType<Open>) {
  const storage = createMemoryStorage();
  for (let i = 0; i < agents; i++) storage.registerAgent(aRegistration(`a${i}`));
  const hub = new WatchHub(storage);
  await hub.start();
  let opened = 0;
  const topic = hub.topic({
    ...agentTopic,
    snapshot: (log, index) => {
      opened += 1;
      return open === undefined ? agentTopic.snapshot(log, index) : open(log, opened);
    },
    present: (content: Content) => content,
  });
  const filter = (agentIds: readonly string[]) =>
    new AgentFilter({ namespace: NAMESPACE, agentIds, selector: EVERYTHING, capabilities: [], states: [] });
  const watch = (...agentIds: string[]): PushSource<Content> =>
    topic.watch(filter(agentIds), { includeSnapshot: true, resumeToken: "", progressIntervalMs: 10_000 });
  return { storage, hub, watch, opened: () => opened };
}

function takeAll(source: PushSource<Content>): Content[] {
  const taken: Content[] = [];
  for (let content = source.take(); content !== undefined; content = source.take()) taken.push(content);
  return taken;
}

/** The newest state of every agent that was told of, by its message. */
function view(contents: readonly Content[]): Map<string, string> {
  const states = contents.flatMap(({ items, events }) => [...items, ...events].map(({ state }) => state));
  return new Map(states.map(({ agentId, message }) => [agentId, message]));
}

const kinds = (contents: readonly Content[]): number[] => contents.map(({ kind }) => kind);

/** The pages of a snapshot of a storage in memory, one agent each and each a little late, of which the last may fail. */
async function* latePages(snapshot: Snapshot<Agent>, failure?: Error): AsyncGenerator<SnapshotPage<Agent>> {
  const items: Agent[] = [];
  for await (const page of snapshot.pages()) items.push(...page.items);
  const last = items.pop();
  for (const item of items) yield { partition: 0, items: [item] };
  if (failure !== undefined) throw failure;
  if (last !== undefined) yield { partition: 0, items: [last] };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("watchers that begin together", () => {
  it("get the very same messages, from one snapshot", async () => {
    const { watch, opened } = await setUp(1200);
    const all = [watch(), watch(), watch()].map(takeAll);
    expect(opened()).toBe(1);
    expect(kinds(all[0] ?? [])).toEqual([BatchKind.SNAPSHOT, BatchKind.SNAPSHOT, BatchKind.SNAPSHOT, BatchKind.SYNCED]);
    for (const contents of all) {
      expect(contents.slice(0, 3).every((content, i) => content === all[0]?.[i])).toBe(true);
    }
  });

  it("catch up what was committed since, before they are told that they are up to date", async () => {
    const { storage, watch, opened } = await setUp(3);
    takeAll(watch());
    void storage.setState(aReport("a1", State.IDLE, { message: "since" }));
    storage.registerAgent(aRegistration("new"));
    const late = takeAll(watch());
    expect(opened()).toBe(1);
    expect(kinds(late)).toEqual([BatchKind.SNAPSHOT, BatchKind.EVENTS, BatchKind.SYNCED]);
    expect(view(late)).toEqual(
      new Map([
        ["a0", ""],
        ["a1", "since"],
        ["a2", ""],
        ["new", ""],
      ]),
    );
  });

  it("read a snapshot of their own when there is too much to catch up", async () => {
    const { storage, watch, opened } = await setUp(3);
    takeAll(watch());
    for (let i = 0; i <= 1000; i++) void storage.setState(aReport("a1", State.IDLE, { message: `${i}` }));
    expect(kinds(takeAll(watch()))).toEqual([BatchKind.SNAPSHOT, BatchKind.SYNCED]);
    expect(opened()).toBe(2);
  });

  it("and named an agent that was removed since wait for it to come back", async () => {
    const { storage, watch, opened } = await setUp(1);
    const before = watch("a0");
    before.take();
    storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a0", incarnation: 0, actor: ACTOR });
    const after = watch("a0");
    expect(kinds(takeAll(after))).toEqual([BatchKind.SYNCED]);
    expect(after.done).toBe(false);
    expect(opened()).toBe(2);
  });

  it("share nothing that another began long ago", async () => {
    vi.useFakeTimers();
    const { watch, opened } = await setUp(3);
    takeAll(watch());
    vi.advanceTimersByTime(1000);
    takeAll(watch());
    expect(opened()).toBe(2);
  });

  it("read on at their own pace", async () => {
    const { watch, opened } = await setUp(10_000);
    const [slow, fast] = [watch(), watch()];
    const first = slow.take();
    const all = takeAll(fast);
    const rest = takeAll(slow);
    expect(opened()).toBe(1);
    expect(view(all).size).toBe(10_000);
    expect([...view([...(first === undefined ? [] : [first]), ...rest]).keys()]).toEqual([...view(all).keys()]);
    // Who comes when most of it was read would hold up nothing and gain nothing.
    takeAll(watch());
    expect(opened()).toBe(2);
  });

  it("begin again together when it cannot be read to its end", async () => {
    const gone = new OpsCoreError("STORAGE_UNAVAILABLE", "away", {}, { retryAfterMs: 1 });
    const { watch, opened } = await setUp(3, async (log, count) => {
      const snapshot = await log.snapshotAgents({ namespace: NAMESPACE, ids: undefined });
      const failure = count === 1 ? gone : undefined;
      return { position: snapshot.position, pages: () => latePages(snapshot, failure) };
    });
    const read = (source: PushSource<Content>) =>
      new Promise<Content[]>((resolve) => {
        const taken: Content[] = [];
        const more = (): void => {
          taken.push(...takeAll(source));
          if (kinds(taken).includes(BatchKind.SYNCED)) resolve(taken);
        };
        source.onReady(() => setImmediate(more));
        more();
      });
    for (const contents of await Promise.all([watch(), watch()].map(read))) {
      const { SNAPSHOT, RESYNC, SYNCED } = BatchKind;
      expect(kinds(contents)).toEqual([SNAPSHOT, SNAPSHOT, RESYNC, SNAPSHOT, SNAPSHOT, SNAPSHOT, SYNCED]);
      expect(view(contents).size).toBe(3);
    }
    expect(opened()).toBe(2);
  });

  it("and named an agent that was removed since wait for it to come back, though the hub has not heard of that", async () => {
    const log = new PartitionedLog(1);
    const hub = new WatchHub(log);
    await hub.start();
    const topic = hub.topic({ ...agentTopic, present: (content: Content) => content });
    const fields = { namespace: NAMESPACE, agentIds: ["a0"], selector: EVERYTHING, capabilities: [], states: [] };
    const watch = async (): Promise<Content[]> => {
      const start = { includeSnapshot: true, resumeToken: "", progressIntervalMs: 10_000 };
      const source = topic.watch(new AgentFilter(fields), start);
      const taken: Content[] = [];
      const more = (): void => void taken.push(...takeAll(source));
      source.onReady(() => setImmediate(more));
      more();
      for (let turns = 0; turns < 5; turns += 1) await turn();
      return taken;
    };
    log.commit("a0", State.IDLE);
    log.deliverAll();
    expect(kinds(await watch())).toEqual([BatchKind.SNAPSHOT, BatchKind.SYNCED]);
    log.remove("a0");
    const later = await watch();
    log.deliverAll();
    for (let turns = 0; turns < 5; turns += 1) await turn();
    expect(kinds(later)).toEqual([BatchKind.SYNCED]);
  });

  it.each(["cancelled", "stopped with the server"])("that are %s end, whatever is being read for them", async (how) => {
    const gone = new OpsCoreError("STORAGE_UNAVAILABLE", "away", {}, { retryAfterMs: 1 });
    let begin: () => void = () => undefined;
    let fail: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const failing = new Promise<void>((resolve) => (fail = resolve));
    const { hub, watch } = await setUp(3, async (log) => {
      const { position } = await log.snapshotAgents({ namespace: NAMESPACE, ids: undefined });
      return {
        position,
        pages: async function* () {
          begin();
          await failing;
          throw gone;
        },
      };
    });
    const source = watch();
    source.onReady(() => source.take());
    source.take();
    await begun;
    if (how === "cancelled") source.cancel();
    else await hub.stop();
    fail();
    await turn();
    expect(kinds(takeAll(source))).toEqual([]);
    expect(source.done).toBe(true);
    expect(hub.stats.watchers).toBe(0);
  });
});
