import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import { EVERYTHING } from "../../src/lib/selector.js";
import type { PushSource } from "../../src/lib/push-source.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { State, type Agent } from "../../src/storage/records.js";
import { BatchKind, MAX_BATCH_BYTES, type BatchContent } from "../../src/watch/batch.js";
import { AgentFilter, type AgentEvent } from "../../src/watch/filters.js";
import { WatchHub, type WatchHubOptions } from "../../src/watch/hub.js";
import { agentTopic } from "../../src/watch/topics.js";
import { ACTOR, aRegistration, aReport, NAMESPACE } from "../helpers/records.js";

type Content = BatchContent<AgentEvent, Agent>;

async function setUp(options?: WatchHubOptions, logCapacity?: number) {
  const storage = createMemoryStorage(logCapacity === undefined ? {} : { logCapacity });
  const hub = new WatchHub(storage, options);
  await hub.start();
  let presented = 0;
  const topic = hub.topic({
    ...agentTopic,
    present: (content: Content) => {
      presented += 1;
      return content;
    },
  });
  const watch = ({
    agentIds = [] as string[],
    includeSnapshot = false,
    resumeToken = "",
    progressIntervalMs = 10_000,
  } = {}): PushSource<Content> =>
    topic.watch(
      new AgentFilter({ namespace: NAMESPACE, agentIds, selector: EVERYTHING, capabilities: [], states: [] }),
      {
        includeSnapshot,
        resumeToken,
        progressIntervalMs,
      },
    );
  const report = (agentId: string, message: string): void => {
    void storage.setState(aReport(agentId, State.IDLE, { message }));
  };
  return { storage, hub, watch, report, presented: () => presented };
}

function takeAll(source: PushSource<Content>): Content[] {
  const taken: Content[] = [];
  for (let content = source.take(); content !== undefined; content = source.take()) taken.push(content);
  return taken;
}

const kinds = (contents: readonly Content[]): number[] => contents.map(({ kind }) => kind);
const messages = (contents: readonly Content[]): string[] =>
  contents.flatMap(({ events }) => events.map(({ state }) => state.message));

describe("opening a watch", () => {
  it("says SYNCED at once, also when nothing matches", async () => {
    const { watch } = await setUp();
    expect(kinds(takeAll(watch()))).toEqual([BatchKind.SYNCED]);
    expect(kinds(takeAll(watch({ includeSnapshot: true })))).toEqual([BatchKind.SYNCED]);
  });

  it("gives everything committed after the call, before the first take and after", async () => {
    const { storage, hub, watch, report } = await setUp();
    storage.registerAgent(aRegistration("a"));
    report("a", "before");
    const source = watch();
    report("a", "between");
    expect(messages(takeAll(source))).toEqual(["between"]);
    report("a", "after");
    hub.settle();
    expect(messages(takeAll(source))).toEqual(["after"]);
  });

  it("puts snapshot and events together without a gap or a repeat", async () => {
    const { storage, hub, watch, report } = await setUp();
    for (let i = 0; i < 1500; i++) storage.registerAgent(aRegistration(`a${i}`));
    const source = watch({ includeSnapshot: true });
    const first = source.take();
    report("a0", "early in the order");
    report("a1499", "late in the order");
    storage.registerAgent(aRegistration("new"));
    const rest = takeAll(source);
    hub.settle();
    rest.push(...takeAll(source));
    const revisions = new Map<string, number>();
    const see = (agentId: string, revision: number): void => {
      expect(revision).toBeGreaterThan(revisions.get(agentId) ?? 0);
      revisions.set(agentId, revision);
    };
    for (const { items, events } of [...(first === undefined ? [] : [first]), ...rest]) {
      for (const { state } of items) see(state.agentId, state.revision);
      for (const { state } of events) see(state.agentId, state.revision);
    }
    expect(revisions.size).toBe(1501);
    expect(revisions.get("a0")).toBe(1501);
    expect(revisions.get("a1499")).toBe(1502);
    expect(kinds(rest).filter((kind) => kind === BatchKind.SYNCED)).toHaveLength(1);
    source.cancel();
  });

  it("resumes after a token, and says SYNCED when it has caught up", async () => {
    const { storage, watch, report } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const before = watch();
    const token = takeAll(before).at(-1)?.resumeToken ?? "";
    before.cancel();
    report("a", "missed 1");
    report("a", "missed 2");
    const contents = takeAll(watch({ resumeToken: token }));
    expect(messages(contents)).toEqual(["missed 1", "missed 2"]);
    expect(kinds(contents)).toEqual([BatchKind.EVENTS, BatchKind.SYNCED]);
  });

  it("says RESYNC with a snapshot when the log no longer reaches back to the token", async () => {
    const { storage, watch, report } = await setUp({ windowSize: 4 }, 16);
    storage.registerAgent(aRegistration("a"));
    const token = takeAll(watch()).at(-1)?.resumeToken ?? "";
    for (let i = 0; i < 100; i++) report("a", `${i}`);
    const contents = takeAll(watch({ resumeToken: token }));
    expect(kinds(contents)).toEqual([BatchKind.RESYNC, BatchKind.SNAPSHOT, BatchKind.SYNCED]);
    expect(contents[1]?.items[0]?.state.message).toBe("99");
  });

  it("says RESYNC for the token of another server's memory and for one from the future", async () => {
    const one = await setUp();
    const two = await setUp();
    one.storage.registerAgent(aRegistration("a"));
    const token = takeAll(one.watch()).at(-1)?.resumeToken ?? "";
    expect(kinds(takeAll(two.watch({ resumeToken: token })))).toEqual([BatchKind.RESYNC, BatchKind.SYNCED]);
  });

  it("refuses the token of another filter", async () => {
    const { watch } = await setUp();
    const token = takeAll(watch()).at(-1)?.resumeToken ?? "";
    expect(() => watch({ resumeToken: token, agentIds: ["a"] })).toThrow(OpsCoreError);
  });
});

describe("live watchers", () => {
  it("share one message for one flush", async () => {
    const { storage, hub, watch, report, presented } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const sources = Array.from({ length: 100 }, () => watch());
    for (const source of sources) takeAll(source);
    const before = presented();
    report("a", "one");
    report("a", "two");
    hub.settle();
    const contents = sources.map((source) => takeAll(source));
    expect(presented() - before).toBe(1);
    expect(new Set(contents.flat()).size).toBe(1);
    expect(messages(contents[0] ?? [])).toEqual(["one", "two"]);
  });

  it("get a large flush in messages of bounded size, each with a token of its own", async () => {
    const { storage, hub, watch } = await setUp({ maxQueuedBytes: 64 * MAX_BATCH_BYTES });
    storage.registerAgent(aRegistration("a"));
    const source = watch();
    takeAll(source);
    const text = "x".repeat(40_000);
    for (let i = 0; i < 30; i++)
      void storage.setState(aReport("a", State.IDLE, { message: `${i}`, details: { text } }));
    hub.settle();
    const contents = takeAll(source);
    expect(contents.length).toBeGreaterThan(5);
    expect(messages(contents)).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
    // Going on after the second message gives exactly the rest.
    const rest = takeAll(watch({ resumeToken: contents[1]?.resumeToken ?? "" }));
    const seen = messages(contents.slice(0, 2));
    expect([...seen, ...messages(rest)]).toEqual(messages(contents));
    source.cancel();
  });

  it("that do not read are parked with nothing held for them, and catch up from the log", async () => {
    const { storage, hub, watch, report } = await setUp({ maxQueuedEvents: 10 });
    storage.registerAgent(aRegistration("a"));
    const slow = watch();
    const quick = watch();
    takeAll(slow);
    takeAll(quick);
    const expected: string[] = [];
    const read: string[] = [];
    for (let i = 0; i < 5000; i++) {
      report("a", `${i}`);
      expected.push(`${i}`);
      hub.settle();
      read.push(...messages(takeAll(quick)));
    }
    expect(read).toEqual(expected);
    const contents = takeAll(slow);
    expect(messages(contents)).toEqual(expected);
    expect(kinds(contents)).not.toContain(BatchKind.RESYNC);
  });

  it("that named agents end when the last of them is removed", async () => {
    const { storage, hub, watch } = await setUp();
    storage.registerAgent(aRegistration("a"));
    storage.registerAgent(aRegistration("b"));
    const source = watch({ agentIds: ["a", "b"] });
    takeAll(source);
    const remove = (agentId: string): void => {
      storage.deregisterAgent({ namespace: NAMESPACE, agentId, incarnation: 0, actor: ACTOR });
      hub.settle();
    };
    remove("a");
    expect(takeAll(source)).toHaveLength(1);
    expect(source.done).toBe(false);
    storage.registerAgent(aRegistration("a"));
    remove("b");
    takeAll(source);
    expect(source.done).toBe(false);
    remove("a");
    expect(takeAll(source)).toHaveLength(1);
    expect(source.done).toBe(true);
    expect(source.failure).toBeUndefined();
    expect(hub.size).toBe(0);
  });

  it("end with SERVER_STOPPING after their newest token", async () => {
    const { storage, hub, watch, report } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const source = watch();
    takeAll(source);
    report("a", "last");
    await hub.stop();
    const contents = takeAll(source);
    expect(kinds(contents)).toEqual([BatchKind.EVENTS, BatchKind.PROGRESS]);
    expect(source.done).toBe(true);
    expect(source.failure).toMatchObject({ reason: "SERVER_STOPPING" });
    expect(() => watch()).toThrow(expect.objectContaining({ reason: "SERVER_STOPPING" }) as Error);
  });

  it("leave nothing behind when they are cancelled, whatever they were doing", async () => {
    const { storage, hub, watch } = await setUp();
    for (let i = 0; i < 2000; i++) storage.registerAgent(aRegistration(`a${i}`));
    const sources = [watch(), watch({ includeSnapshot: true }), watch({ includeSnapshot: true }), watch()];
    sources[1]?.take();
    takeAll(sources[3] ?? watch());
    for (const source of sources) source.cancel();
    expect(hub.size).toBe(0);
    expect(sources.every(({ done }) => done)).toBe(true);
  });
});

describe("progress", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
  afterEach(() => void vi.useRealTimers());

  it("comes within the interval after the last message, with the newest token", async () => {
    const { storage, watch } = await setUp();
    const source = watch({ agentIds: ["quiet"], progressIntervalMs: 10_000 });
    let ready = 0;
    source.onReady(() => (ready += 1));
    const [synced] = takeAll(source);
    storage.registerAgent(aRegistration("loud"));
    await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(10_000);
    const [progress] = takeAll(source);
    expect(progress?.kind).toBe(BatchKind.PROGRESS);
    expect(progress?.resumeToken).not.toBe(synced?.resumeToken);
    expect(ready).toBe(1);
    source.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is held back while messages flow", async () => {
    const { storage, hub, watch, report } = await setUp();
    storage.registerAgent(aRegistration("a"));
    const source = watch({ progressIntervalMs: 1000 });
    takeAll(source);
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) {
      report("a", `${i}`);
      hub.settle();
      vi.advanceTimersByTime(400);
      seen.push(...kinds(takeAll(source)));
    }
    expect(new Set(seen)).toEqual(new Set([BatchKind.EVENTS]));
    source.cancel();
  });
});
