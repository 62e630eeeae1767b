/** Watches of tasks, through the hub: snapshot and events, resuming, readers that are slow. */
import { describe, expect, it } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import type { PushSource } from "../../src/lib/push-source.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { SessionStatus, type TaskRecord } from "../../src/storage/records.js";
import type { ChangeLog, TaskSnapshotQuery } from "../../src/storage/storage.js";
import { taskStatusName } from "../../src/storage/task-machine.js";
import { BatchKind, type BatchContent } from "../../src/watch/batch.js";
import type { TaskEvent, TaskFilterFields } from "../../src/watch/filters.js";
import { WatchHub, type WatchHubOptions } from "../../src/watch/hub.js";
import { taskTopic } from "../../src/watch/topics.js";
import { describeChange } from "../contract/storage/events.js";
import { aSessionUpdate, NAMESPACE } from "../helpers/records.js";
import { OF_A, OF_B, OF_OTHER, play, taskFilter as filter, type Memory } from "../helpers/task-play.js";
import { aCancellation, aChain, aCompletion, aFailure, aLease, aRun, aTask } from "../helpers/tasks.js";

type Content = BatchContent<TaskEvent, TaskRecord>;

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

  it("repeats nothing that a page of the snapshot knew already, of any task of a session", async () => {
    const storage = createMemoryStorage();
    const queries: TaskSnapshotQuery[] = [];
    const log = Object.create(storage, {
      // As a storage with several partitions does it: pages are read after the position was taken.
      snapshotTasks: {
        value: (query: TaskSnapshotQuery) => {
          queries.push(query);
          const position = storage.head();
          storage.leaseTask(aLease("u"));
          storage.cancelTask(aCancellation("v"));
          storage.failTask(aFailure("t"));
          return { position, pages: () => storage.snapshotTasks(query).pages() };
        },
      },
    }) as ChangeLog;
    const hub = new WatchHub(log);
    await hub.start();
    const topic = hub.topic({ ...taskTopic, present: (content: Content) => content });
    storage.startSession(aRun([aTask("t"), aTask("u"), aTask("v")]));
    storage.leaseTask(aLease("t"));
    const request = { includeSnapshot: true, resumeToken: "", progressIntervalMs: 10_000 };
    const source = topic.watch(filter({ sessionIds: ["s"] }), request);
    const contents = takeAll(source);
    storage.completeTask(aCompletion("u"));
    hub.settle();
    contents.push(...takeAll(source));
    expect(itemsOf(contents)).toEqual(["s/t: READY", "s/u: LEASED", "s/v: CANCELLED"]);
    expect(eventsOf(contents)).toEqual(["TASK s/u: LEASED>COMPLETED"]);
    expect(queries).toEqual([{ namespace: NAMESPACE, of: { kind: "sessions", sessionIds: ["s"] } }]);
  });

  it.each<[Partial<TaskFilterFields>, TaskSnapshotQuery["of"]]>([
    [{}, { kind: "open" }],
    [{ agentId: "a" }, { kind: "agent", agentId: "a" }],
    [
      { agentId: "a", sessionIds: ["s"] },
      { kind: "agent", agentId: "a" },
    ],
    [{ sessionIds: ["t", "s"] }, { kind: "sessions", sessionIds: ["s", "t"] }],
  ])("of %o reads no more from storage than it must", (fields, of) => {
    const queries: TaskSnapshotQuery[] = [];
    const storage = createMemoryStorage();
    const log = Object.create(storage, {
      snapshotTasks: {
        value: (query: TaskSnapshotQuery) => {
          queries.push(query);
          return storage.snapshotTasks(query);
        },
      },
    }) as ChangeLog;
    void taskTopic.snapshot(log, filter(fields).index);
    expect(queries).toEqual([{ namespace: NAMESPACE, of }]);
  });

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
