import { describe, expect, it } from "vitest";
import { EVERYTHING, parseSelector } from "../../src/lib/selector.js";
import { AgentChangeType, State, type AgentChange, type Change } from "../../src/storage/records.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { AgentFilter, EXITED, SessionFilter, type AgentFilterFields } from "../../src/watch/filters.js";
import { ACTOR, aRegistration, aReport, aSession, aSessionUpdate, NAMESPACE } from "../helpers/records.js";

function filter(fields: Partial<AgentFilterFields> = {}): AgentFilter {
  return new AgentFilter({
    namespace: NAMESPACE,
    agentIds: [],
    selector: EVERYTHING,
    capabilities: [],
    states: [],
    ...fields,
  });
}

/** The changes that some commands make. */
function changesOf(commands: (storage: ReturnType<typeof createMemoryStorage>) => void): Change[] {
  const storage = createMemoryStorage();
  const changes: Change[] = [];
  storage.tail({ onChanges: (some) => changes.push(...some), onLost: () => undefined });
  commands(storage);
  storage.close();
  return changes;
}

const types = (some: Filter, changes: readonly Change[]): (number | undefined)[] =>
  changes.map((change) => some.match(change)?.type);
type Filter = Pick<AgentFilter, "match"> | Pick<SessionFilter, "match">;

describe("a filter's key", () => {
  it("is the same however the filter is written", () => {
    const a = filter({ agentIds: ["b", "a", "b"], selector: parseSelector("x=1, y in (b,a)"), states: [3, 4] });
    const b = filter({ agentIds: ["a", "b"], selector: parseSelector("y in (a,b),x==1"), states: [4, 3, 4] });
    expect(a.key).toBe(b.key);
  });

  it("is another for every other filter", () => {
    const keys = [
      filter(),
      filter({ namespace: "other" }),
      filter({ agentIds: ["a"] }),
      filter({ capabilities: ["a"] }),
      filter({ selector: parseSelector("a") }),
      filter({ states: [State.IDLE] }),
      new SessionFilter({ namespace: NAMESPACE, sessionIds: [], agentIds: [], statuses: [] }),
      new SessionFilter({ namespace: NAMESPACE, sessionIds: ["a"], agentIds: [], statuses: [] }),
      new SessionFilter({ namespace: NAMESPACE, sessionIds: [], agentIds: ["a"], statuses: [] }),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("an agent filter", () => {
  it("takes only its namespace and its agents", () => {
    const changes = changesOf((storage) => {
      storage.registerAgent(aRegistration("a"));
      storage.registerAgent(aRegistration("b"));
      storage.registerAgent(aRegistration("a", { namespace: "other" }));
    });
    expect(types(filter(), changes)).toEqual([1, 1, undefined]);
    expect(types(filter({ agentIds: ["a"] }), changes)).toEqual([1, undefined, undefined]);
  });

  it("sees a state come and go, and a deregistration whatever the state", () => {
    const changes = changesOf((storage) => {
      storage.registerAgent(aRegistration("a"));
      void storage.setState(aReport("a", State.IDLE));
      void storage.setState(aReport("a", State.ACTIVE));
      void storage.setState(aReport("a", State.ERROR));
      storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a", incarnation: 0, actor: ACTOR });
    });
    expect(types(filter({ states: [State.IDLE] }), changes)).toEqual([undefined, 2, 2, undefined, 6]);
  });

  it("tells of an agent that leaves its labels or capabilities, once", () => {
    const changes = changesOf((storage) => {
      const update = (patch: object) =>
        storage.updateAgent({
          namespace: NAMESPACE,
          agentId: "a",
          patch,
          expectedRevision: 0,
          requestId: "",
          actor: ACTOR,
        });
      storage.registerAgent(aRegistration("a", { labels: { env: "prod" }, capabilities: ["x"] }));
      update({ displayName: "still in" });
      update({ labels: { env: "dev" } });
      update({ displayName: "out" });
      void storage.setState(aReport("a", State.IDLE));
      update({ labels: { env: "prod" } });
      update({ capabilities: [] });
    });
    expect(types(filter({ selector: parseSelector("env=prod") }), changes)).toEqual([
      AgentChangeType.REGISTERED,
      AgentChangeType.UPDATED,
      EXITED,
      undefined,
      undefined,
      AgentChangeType.UPDATED,
      AgentChangeType.UPDATED,
    ]);
    expect(types(filter({ capabilities: ["x"] }), changes).slice(-2)).toEqual([AgentChangeType.UPDATED, EXITED]);
  });

  it("tells of an agent that leaves by registering again", () => {
    const changes = changesOf((storage) => {
      storage.registerAgent(aRegistration("a", { labels: { env: "prod" } }));
      storage.registerAgent(aRegistration("a", { labels: {} }));
    });
    const [, again] = changes as AgentChange[];
    expect(types(filter({ selector: parseSelector("env=prod") }), changes)).toEqual([1, EXITED]);
    expect(again?.type).toBe(AgentChangeType.REGISTERED);
  });
});

describe("a session filter", () => {
  it("takes sessions by id, by agent and by status", () => {
    const changes = changesOf((storage) => {
      storage.registerAgent(aRegistration("a"));
      storage.registerAgent(aRegistration("b"));
      storage.startSession(aSession("s1", "a"));
      storage.startSession(aSession("s2", "b"));
      storage.updateSession(aSessionUpdate("s1", { status: 2 }));
      storage.updateSession(aSessionUpdate("s1", { status: 4 }));
    });
    const sessions = changes.slice(2);
    const by = (fields: object): (number | undefined)[] =>
      types(
        new SessionFilter({ namespace: NAMESPACE, sessionIds: [], agentIds: [], statuses: [], ...fields }),
        sessions,
      );
    expect(by({})).toEqual([1, 1, 2, 3]);
    expect(by({ sessionIds: ["s1"] })).toEqual([1, undefined, 2, 3]);
    expect(by({ agentIds: ["b"] })).toEqual([undefined, 1, undefined, undefined]);
    expect(by({ statuses: [2] })).toEqual([undefined, undefined, 2, 3]);
    expect(by({ namespace: "other" })).toEqual([undefined, undefined, undefined, undefined]);
  });
});
