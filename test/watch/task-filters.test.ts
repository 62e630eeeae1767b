/** What a filter of tasks shows: to an agent its work and what becomes of it, to others sessions or everything. */
import { describe, expect, it } from "vitest";
import { EVERYTHING } from "../../src/lib/selector.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import type { Change } from "../../src/storage/records.js";
import { AgentFilter, SessionFilter, type TaskFilterFields } from "../../src/watch/filters.js";
import { ChangeRouter, type ChangeSink } from "../../src/watch/router.js";
import { describeChange } from "../contract/storage/events.js";
import { aRegistration, NAMESPACE } from "../helpers/records.js";
import { OF_A, OF_B, OF_OTHER, play, taskFilter as filter, type Memory } from "../helpers/task-play.js";
import { aCancellation, aFailure, aLease, aRun, aTask } from "../helpers/tasks.js";

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

  it("shows an incarnation of an agent what was leased to it, and nothing of its successor's or its predecessor's", () => {
    const changes = changesOf((storage) => {
      storage.startSession(aRun([aTask("t")]));
      storage.leaseTask(aLease("t"));
      storage.failTask(aFailure("t"));
      storage.leaseTask(aLease("t", 2, { agentIncarnation: 2 }));
      storage.failTask(aFailure("t", 2));
    });
    const [begin, end] = ["TASK s/t: READY>LEASED", "TASK s/t: LEASED>READY"];
    expect(matched({ agentId: "a" }, changes)).toEqual([begin, end, begin, end]);
    const attempts = (agentIncarnation: number) =>
      changes.flatMap((change) => {
        const event = filter({ agentId: "a", agentIncarnation }).match(change);
        return event?.kind === "task" ? [`${event.task.attempt} ${describeChange(event)}`] : [];
      });
    expect(attempts(1)).toEqual([`1 ${begin}`, `1 ${end}`]);
    expect(attempts(2)).toEqual([`2 ${begin}`, `2 ${end}`]);
    expect(attempts(3)).toEqual([]);
    const leased = changes.flatMap((change) => (change.kind === "task" ? [change.task] : []));
    const admitted = (agentIncarnation: number) =>
      leased.filter((task) => filter({ agentId: "a", agentIncarnation }).admits(task)).map(({ attempt }) => attempt);
    expect([admitted(0), admitted(1), admitted(2)]).toEqual([[1, 2], [1], [2]]);
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
      filter({ agentId: "a", agentIncarnation: 1 }),
      filter({ agentId: "a", agentIncarnation: 2 }),
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
