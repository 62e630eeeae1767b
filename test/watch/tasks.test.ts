/** What a watch of tasks shows: to an agent its work and what becomes of it, to others sessions or everything. */
import { describe, expect, it } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import type { PushSource } from "../../src/lib/push-source.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { SessionStatus, type Change, type TaskRecord } from "../../src/storage/records.js";
import { taskStatusName } from "../../src/storage/task-machine.js";
import { BatchKind, type BatchContent } from "../../src/watch/batch.js";
import {
  AgentFilter,
  SessionFilter,
  TaskFilter,
  type TaskEvent,
  type TaskFilterFields,
} from "../../src/watch/filters.js";
import { WatchHub, type WatchHubOptions } from "../../src/watch/hub.js";
import { ChangeRouter, type ChangeSink } from "../../src/watch/router.js";
import { taskTopic } from "../../src/watch/topics.js";
import { EVERYTHING } from "../../src/lib/selector.js";
import { describeChange } from "../contract/storage/events.js";
import { aRegistration, aSessionUpdate, NAMESPACE } from "../helpers/records.js";
import { aCancellation, aChain, aCompletion, aFailure, aLease, aRun, aTask, aTaskKey } from "../helpers/tasks.js";

type Content = BatchContent<TaskEvent, TaskRecord>;
type Memory = ReturnType<typeof createMemoryStorage>;

function filter(fields: Partial<TaskFilterFields> = {}): TaskFilter {
  return new TaskFilter({ namespace: NAMESPACE, agentId: "", sessionIds: [], ...fields });
}

/** Two sessions: `s/t` comes to `a`, goes back, comes to `b`, fails, is retried, comes to `a` again and is done; `other/t` goes to `a` and is called off. */
function play(storage: Memory): void {
  storage.startSession(aRun(aChain("t", "u")));
  storage.startSession(aRun([aTask("t")], { sessionId: "other" }));
  storage.leaseTask(aLease("t"));
  storage.failTask(aFailure("t"));
  storage.leaseTask(aLease("t", 2, { agentId: "b" }));
  storage.failTask(aFailure("t", 2, { permanent: true }));
  storage.retryTask(aTaskKey("t"));
  storage.leaseTask(aLease("t", 3));
  storage.leaseTask(aLease("t", 1, { sessionId: "other" }));
  storage.completeTask(aCompletion("t", 3));
  storage.cancelTask(aCancellation("t", { sessionId: "other" }));
}

const OF_A = [
  "TASK s/t: READY>LEASED",
  "TASK s/t: LEASED>READY",
  "TASK s/t: READY>LEASED",
  "TASK other/t: READY>LEASED",
  "TASK s/t: LEASED>COMPLETED",
  "TASK other/t: LEASED>CANCELLED",
];
const OF_B = ["TASK s/t: READY>LEASED", "TASK s/t: LEASED>FAILED"];
const OF_OTHER = ["TASK other/t: READY", "TASK other/t: READY>LEASED", "TASK other/t: LEASED>CANCELLED"];

/** The changes that commands make. */
function changesOf(commands: (storage: Memory) => void): Change[] {
  const storage = createMemoryStorage();
  const changes: Change[] = [];
  storage.tail({ onChanges: (some) => changes.push(...some), onLost: () => undefined });
  commands(storage);
  storage.close();
  return changes;
}

describe("a task filter", () => {
  const matched = (fields: Partial<TaskFilterFields>, changes = changesOf(play)) =>
    changes.flatMap((change) => filter(fields).match(change) ?? []).map(describeChange);

  it("shows an agent what it gets and what becomes of it, nothing before and nothing after", () => {
    expect(matched({ agentId: "a" })).toEqual(OF_A);
    expect(matched({ agentId: "b" })).toEqual(OF_B);
    expect(matched({ agentId: "nobody" })).toEqual([]);
  });

  it("shows sessions everything of their tasks, from when these were made", () => {
    expect(matched({ sessionIds: ["other"] })).toEqual(OF_OTHER);
    expect(matched({ sessionIds: ["nobody", "other"] })).toEqual(OF_OTHER);
    const all = changesOf(play).filter(({ kind }) => kind === "task");
    expect(matched({ sessionIds: ["s", "other"] })).toEqual(all.map(describeChange));
    expect(matched({})).toEqual(all.map(describeChange));
  });

  it("asks for both where both are given", () => {
    expect(matched({ agentId: "a", sessionIds: ["other"] })).toEqual(OF_A.filter((event) => event.includes("other")));
    expect(matched({ agentId: "b", sessionIds: ["other"] })).toEqual([]);
  });

  it("shows nothing of other namespaces, of agents or of sessions", () => {
    expect(matched({ namespace: "elsewhere" })).toEqual([]);
    const changes = changesOf((storage) => {
      storage.registerAgent(aRegistration("a"));
      storage.startSession(aRun([]));
      storage.startSession(aRun([aTask("t")], { namespace: "elsewhere" }));
    });
    expect(matched({}, changes)).toEqual([]);
  });

  it("hides from an agent the end of a task that it had before and has no more", () => {
    const changes = changesOf((storage) => {
      storage.startSession(aRun([aTask("t"), aTask("u")]));
      storage.leaseTask(aLease("t"));
      storage.failTask(aFailure("t"));
      storage.cancelTask(aCancellation("t"));
    });
    expect(matched({ agentId: "a" }, changes)).toEqual(["TASK s/t: READY>LEASED", "TASK s/t: LEASED>READY"]);
  });

  it("admits to a snapshot of an agent only what it has", () => {
    const tasks = changesOf(play).flatMap((change) => (change.kind === "task" ? [change.task] : []));
    const admitted = (fields: Partial<TaskFilterFields>) =>
      tasks.filter((task) => filter(fields).admits(task)).map(({ sessionId, attempt }) => `${sessionId} ${attempt}`);
    expect(admitted({ agentId: "a" })).toEqual(["s 1", "s 3", "other 1"]);
    expect(admitted({ agentId: "a", sessionIds: ["other"] })).toEqual(["other 1"]);
    expect(admitted({ sessionIds: ["other"] })).toEqual(["other 0", "other 1", "other 1"]);
    expect(admitted({})).toHaveLength(tasks.length);
    expect(admitted({ namespace: "elsewhere" })).toEqual([]);
  });

  it("has the same key however it is written, and another for every other filter", () => {
    expect(filter({ sessionIds: ["b", "a", "b"] }).key).toBe(filter({ sessionIds: ["a", "b"] }).key);
    const keys = [
      filter(),
      filter({ namespace: "elsewhere" }),
      filter({ agentId: "a" }),
      filter({ agentId: "b" }),
      filter({ sessionIds: ["a"] }),
      filter({ sessionIds: ["a", "b"] }),
      filter({ agentId: "a", sessionIds: ["a"] }),
      new SessionFilter({ namespace: NAMESPACE, sessionIds: [], agentIds: [], statuses: [] }),
      new AgentFilter({ namespace: NAMESPACE, agentIds: [], selector: EVERYTHING, capabilities: [], states: [] }),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("the router", () => {
  it("offers a task's change to those of its session, of its agent, and of everything, once each", () => {
    const router = new ChangeRouter();
    const seen = new Map<string, string[]>();
    const add = (name: string, fields: Partial<TaskFilterFields>): ChangeSink => {
      const sink: ChangeSink = {
        offer: (change) => {
          seen.set(name, [...(seen.get(name) ?? []), describeChange(change)]);
          return true;
        },
        flush: () => undefined,
        lost: () => undefined,
        stop: () => undefined,
      };
      router.add(sink, filter(fields).index);
      return sink;
    };
    const sinks = [
      add("agent a", { agentId: "a", sessionIds: ["elsewhere"] }),
      add("agent s", { agentId: "s" }),
      add("sessions", { sessionIds: ["other", "s"] }),
      add("session a", { sessionIds: ["a"] }),
      add("all", {}),
      add("elsewhere", { namespace: "elsewhere" }),
    ];
    const changes = changesOf((storage) => {
      storage.startSession(aRun([aTask("t")]));
      storage.leaseTask(aLease("t"));
    });
    const dirty = new Set<ChangeSink>();
    for (const change of changes) router.route(change, dirty);
    const [made, leased] = ["TASK s/t: READY", "TASK s/t: READY>LEASED"];
    // That a task's session is another one is for the filter to say: an agent has few tasks.
    expect(Object.fromEntries(seen)).toEqual({ "agent a": [leased], sessions: [made, leased], all: [made, leased] });
    expect(dirty).toEqual(new Set([sinks[0], sinks[2], sinks[4]]));
    for (const sink of sinks) router.remove(sink);
    expect(router.size).toBe(0);
    seen.clear();
    for (const change of changes) router.route(change, dirty);
    expect(seen.size).toBe(0);
  });
});

async function setUp(options?: WatchHubOptions, logCapacity?: number) {
  const storage = createMemoryStorage(logCapacity === undefined ? {} : { logCapacity });
  const hub = new WatchHub(storage, options);
  await hub.start();
  const topic = hub.topic({ ...taskTopic, present: (content: Content) => content });
  const watch = (
    fields: Partial<TaskFilterFields>,
    { includeSnapshot = false, resumeToken = "" } = {},
  ): PushSource<Content> => topic.watch(filter(fields), { includeSnapshot, resumeToken, progressIntervalMs: 10_000 });
  return { storage, hub, watch };
}

function takeAll(source: PushSource<Content>): Content[] {
  const taken: Content[] = [];
  for (let content = source.take(); content !== undefined; content = source.take()) taken.push(content);
  return taken;
}

const eventsOf = (contents: readonly Content[]) => contents.flatMap(({ events }) => events.map(describeChange));
const itemsOf = (contents: readonly Content[]) =>
  contents.flatMap(({ items }) =>
    items.map(({ sessionId, taskId, status }) => `${sessionId}/${taskId}: ${taskStatusName(status)}`),
  );
const lastToken = (contents: readonly Content[]) => contents.at(-1)?.resumeToken ?? "";

describe("a watch of tasks", () => {
  it("brings an agent its work, live", async () => {
    const { storage, hub, watch } = await setUp();
    const [a, b, session, all] = [
      watch({ agentId: "a" }),
      watch({ agentId: "b" }),
      watch({ sessionIds: ["other"] }),
      watch({}),
    ];
    for (const source of [a, b, session, all]) expect(takeAll(source)).toMatchObject([{ kind: BatchKind.SYNCED }]);
    play(storage);
    hub.settle();
    expect(eventsOf(takeAll(a))).toEqual(OF_A);
    expect(eventsOf(takeAll(b))).toEqual(OF_B);
    expect(eventsOf(takeAll(session))).toEqual(OF_OTHER);
    expect(eventsOf(takeAll(all))).toHaveLength(13);
  });

  it("brings the same to one that was away, from its token, also when the hub no longer has it", async () => {
    for (const windowSize of [8_192, 1]) {
      const { storage, watch } = await setUp({ windowSize });
      const before = watch({ agentId: "a" });
      const token = lastToken(takeAll(before));
      before.cancel();
      play(storage);
      const resumed = watch({ agentId: "a" }, { resumeToken: token, includeSnapshot: true });
      const contents = takeAll(resumed);
      expect(eventsOf(contents)).toEqual(OF_A);
      expect(itemsOf(contents)).toEqual([]);
      expect(contents.at(-1)?.kind).toBe(BatchKind.SYNCED);
    }
  });

  it("goes on in the middle: an event that was seen does not come again", async () => {
    const { storage, hub, watch } = await setUp();
    const first = watch({ agentId: "a" });
    takeAll(first);
    storage.startSession(aRun([aTask("t"), aTask("u")]));
    storage.leaseTask(aLease("t"));
    hub.settle();
    const seen = takeAll(first);
    expect(eventsOf(seen)).toEqual(["TASK s/t: READY>LEASED"]);
    first.cancel();
    storage.leaseTask(aLease("u"));
    storage.updateSession(aSessionUpdate("s", { status: SessionStatus.CANCELLED }));
    const resumed = watch({ agentId: "a" }, { resumeToken: lastToken(seen) });
    expect(eventsOf(takeAll(resumed))).toEqual([
      "TASK s/u: READY>LEASED",
      "TASK s/t: LEASED>CANCELLED",
      "TASK s/u: LEASED>CANCELLED",
    ]);
  });

  it("begins with what the agent has, and then what becomes of it", async () => {
    const { storage, hub, watch } = await setUp();
    play(storage);
    storage.startSession(aRun([aTask("v"), aTask("w"), aTask("x")], { sessionId: "new" }));
    storage.leaseTask(aLease("v", 1, { sessionId: "new" }));
    storage.leaseTask(aLease("w", 1, { sessionId: "new", agentId: "b" }));
    const source = watch({ agentId: "a" }, { includeSnapshot: true });
    const narrow = watch({ agentId: "a", sessionIds: ["s"] }, { includeSnapshot: true });
    storage.leaseTask(aLease("x", 1, { sessionId: "new" }));
    storage.completeTask(aCompletion("v", 1, { sessionId: "new" }));
    hub.settle();
    const contents = takeAll(source);
    hub.settle();
    contents.push(...takeAll(source));
    // The snapshot is read at the first take: it holds what is so then, and no event repeats it.
    expect(itemsOf(contents)).toEqual(["new/x: LEASED"]);
    expect(eventsOf(contents)).toEqual([]);
    storage.updateSession(aSessionUpdate("new", { status: SessionStatus.FAILED }));
    hub.settle();
    expect(eventsOf(takeAll(source))).toEqual(["TASK new/x: LEASED>CANCELLED"]);
    expect([itemsOf(takeAll(narrow)), eventsOf(takeAll(narrow))]).toEqual([[], []]);
  });

  it("begins with all tasks of its sessions, or with all that are open", async () => {
    const { storage, watch } = await setUp();
    storage.startSession(aRun(aChain("t", "u")));
    halfDone(storage);
    const sessions = takeAll(watch({ sessionIds: ["s", "s", "nobody"] }, { includeSnapshot: true }));
    expect(itemsOf(sessions).sort()).toEqual(["s/t: READY", "s/u: PENDING"]);
    const open = takeAll(watch({}, { includeSnapshot: true }));
    expect(itemsOf(open).sort()).toEqual(["done/b: LEASED", "s/t: READY"]);
  });

  /** A session whose tasks are COMPLETED and LEASED. */
  function halfDone(storage: Memory): void {
    storage.startSession(aRun([aTask("a"), aTask("b")], { sessionId: "done" }));
    for (const taskId of ["a", "b"]) storage.leaseTask(aLease(taskId, 1, { sessionId: "done" }));
    storage.completeTask(aCompletion("a", 1, { sessionId: "done" }));
  }

  it("begins anew with RESYNC when the log no longer has its place", async () => {
    const { storage, watch } = await setUp({ windowSize: 1 }, 3);
    const before = watch({ agentId: "a" });
    const token = lastToken(takeAll(before));
    before.cancel();
    play(storage);
    storage.startSession(aRun([aTask("v")], { sessionId: "new" }));
    storage.leaseTask(aLease("v", 1, { sessionId: "new" }));
    const contents = takeAll(watch({ agentId: "a" }, { resumeToken: token }));
    expect(contents.map(({ kind }) => kind)).toEqual([BatchKind.RESYNC, BatchKind.SNAPSHOT, BatchKind.SYNCED]);
    expect(itemsOf(contents)).toEqual(["new/v: LEASED"]);
  });

  it.each<[string, Partial<TaskFilterFields>]>([
    ["another agent", { agentId: "b" }],
    ["no agent", {}],
    ["a session besides", { agentId: "a", sessionIds: ["s"] }],
    ["another namespace", { agentId: "a", namespace: "elsewhere" }],
  ])("refuses a token of the agent's watch for %s", async (_which, fields) => {
    const { watch } = await setUp();
    const resumeToken = lastToken(takeAll(watch({ agentId: "a" })));
    expect(resumeToken).not.toBe("");
    let refusal: unknown;
    try {
      takeAll(watch(fields, { resumeToken }));
    } catch (thrown) {
      refusal = thrown;
    }
    expect(refusal).toBeInstanceOf(OpsCoreError);
    expect(refusal).toMatchObject({ reason: "INVALID_RESUME_TOKEN" });
  });

  it("keeps a reader that does not read from costing more than its queue, and loses nothing for it", async () => {
    const { storage, hub, watch } = await setUp({ maxQueuedEvents: 5 });
    const source = watch({ sessionIds: ["s"] });
    takeAll(source);
    storage.startSession(aRun(Array.from({ length: 50 }, (_, index) => aTask(`t-${index}`))));
    hub.settle();
    for (let index = 0; index < 50; index += 1) {
      storage.leaseTask(aLease(`t-${index}`));
      if (index % 7 === 0) hub.settle();
    }
    hub.settle();
    const events = eventsOf(takeAll(source));
    expect(events).toHaveLength(100);
    expect(new Set(events).size).toBe(100);
  });
});
