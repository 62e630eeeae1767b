import { describe, expect, it } from "vitest";
import { AgentChangeType, SessionStatus, State, type Agent, type SessionRecord } from "../../../src/storage/records.js";
import type { Position, Snapshot } from "../../../src/storage/storage.js";
import { ACTOR, aRegistration, aReport, aSession, aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import { attempt, present, times, useStorage, type StorageFactory, type Subject } from "./harness.js";

async function collect<T>(snapshot: Snapshot<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of snapshot.pages()) items.push(...page.items);
  return items;
}

const idsOf = (agents: readonly Agent[]) => agents.map(({ record }) => record.agentId).sort();
const sessionIdsOf = (sessions: readonly SessionRecord[]) => sessions.map(({ sessionId }) => sessionId).sort();

/** What a reader of snapshot and log believes: the newest state of each agent that it has seen. */
class Reader {
  readonly states = new Map<string, { readonly state: State; readonly revision: number }>();

  hold(agents: readonly Agent[]): void {
    for (const { state } of agents) this.states.set(state.agentId, state);
  }

  async follow({ storage }: Subject, from: Position): Promise<void> {
    let position = from;
    for (;;) {
      const page = await storage.readLog(position, 7);
      if (page.lost !== undefined) throw new Error(page.lost);
      for (const change of page.changes) {
        if (change.kind !== "agent" || change.type === AgentChangeType.UPDATED) continue;
        const { agentId, revision } = change.state;
        if (revision <= (this.states.get(agentId)?.revision ?? 0)) continue;
        if (change.type === AgentChangeType.DEREGISTERED) this.states.delete(agentId);
        else this.states.set(agentId, change.state);
      }
      position = page.position;
      if (page.atHead) return;
    }
  }
}

/** Snapshots and how they join the log. */
export function snapshotsContract(factory: StorageFactory): void {
  describe("snapshot of agents", () => {
    const subject = useStorage(factory);
    const agents = { namespace: NAMESPACE, ids: undefined };

    it("is empty where there is nothing, and has a position all the same", async () => {
      const snapshot = await subject.storage.snapshotAgents(agents);
      expect(await collect(snapshot)).toEqual([]);
      expect(snapshot.position).toEqual(await subject.storage.head());
    });

    it("holds every agent as it is", async () => {
      const ids = times(1_234, (index) => `agent-${index}`);
      await Promise.all(ids.map(async (id) => subject.storage.registerAgent(aRegistration(id, { labels: { id } }))));
      await subject.storage.setState(aReport("agent-7", State.IDLE));
      const held = await collect(await subject.replica.snapshotAgents(agents));
      expect(idsOf(held)).toEqual([...ids].sort());
      for (const agent of held.slice(0, 20)) {
        expect(agent).toEqual(await subject.storage.getAgent({ namespace: NAMESPACE, agentId: agent.record.agentId }));
      }
    });

    it.each([
      [[], []],
      [["b"], ["b"]],
      [
        ["b", "nobody", "a", "b"],
        ["a", "b"],
      ],
      [["nobody"], []],
    ])("of %o holds only these", async (ids, expected) => {
      for (const id of ["a", "b", "c"]) await subject.storage.registerAgent(aRegistration(id));
      await subject.storage.registerAgent(aRegistration("nobody", { namespace: "other" }));
      expect(idsOf(await collect(await subject.storage.snapshotAgents({ namespace: NAMESPACE, ids })))).toEqual(
        expected,
      );
    });

    it("may be read again", async () => {
      for (const id of ["a", "b", "c"]) await subject.storage.registerAgent(aRegistration(id));
      const snapshot = await subject.storage.snapshotAgents(agents);
      expect(idsOf(await collect(snapshot))).toEqual(idsOf(await collect(snapshot)));
    });

    it("holds no agent that was gone before it", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.registerAgent(aRegistration("b"));
      await subject.storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a", incarnation: 0, actor: ACTOR });
      expect(idsOf(await collect(await subject.storage.snapshotAgents(agents)))).toEqual(["b"]);
    });

    it("joins the log without a window while others commit", async () => {
      const ids = times(30, (index) => `agent-${index}`);
      for (const id of ids) await subject.storage.registerAgent(aRegistration(id));
      const readers = await Promise.all(
        times(10, async (round) => {
          await busy(subject, ids, round);
          const snapshot = await subject.replica.snapshotAgents(agents);
          await busy(subject, ids, round + 1);
          const reader = new Reader();
          for await (const page of snapshot.pages()) {
            reader.hold(page.items);
            await busy(subject, ids, round + 2);
          }
          return { reader, position: snapshot.position };
        }),
      );
      for (const { reader, position } of readers) {
        await reader.follow(subject, position);
        for (const agentId of ids) {
          const state = await subject.storage.getState({ namespace: NAMESPACE, agentId });
          expect(reader.states.get(agentId)).toEqual(state);
        }
      }
    });
  });

  describe("snapshot of sessions", () => {
    const subject = useStorage(factory);
    const sessions = { namespace: NAMESPACE, ids: undefined };

    it("holds every session as it is", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      for (const id of ["r", "s", "t"]) await subject.storage.startSession(aSession(id, "a"));
      await subject.storage.updateSession(aSessionUpdate("s", { status: SessionStatus.COMPLETED }));
      const snapshot = await subject.replica.snapshotSessions(sessions);
      expect(snapshot.position).toEqual(await subject.storage.head());
      const held = await collect(snapshot);
      expect(sessionIdsOf(held)).toEqual(["r", "s", "t"]);
      expect(present(held.find(({ sessionId }) => sessionId === "s")).status).toBe(SessionStatus.COMPLETED);
    });

    it("of ids holds only these", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      for (const id of ["r", "s", "t"]) await subject.storage.startSession(aSession(id, "a"));
      const snapshot = await subject.storage.snapshotSessions({ namespace: NAMESPACE, ids: ["s", "x", "s"] });
      expect(sessionIdsOf(await collect(snapshot))).toEqual(["s"]);
    });
  });
}

/** Some commits of every kind that a reader must come to terms with. */
async function busy({ storage }: Subject, ids: readonly string[], round: number): Promise<void> {
  for (const [index, id] of ids.entries()) {
    if ((index + round) % 3 === 0)
      await storage.setState(aReport(id, State.IDLE, { message: `round ${round}`, holdMs: 60_000 }));
    if ((index + round) % 7 === 0) {
      // Another one may have removed it a moment ago.
      await attempt(() => storage.deregisterAgent({ namespace: NAMESPACE, agentId: id, incarnation: 0, actor: ACTOR }));
      await storage.registerAgent(aRegistration(id));
    }
  }
}
