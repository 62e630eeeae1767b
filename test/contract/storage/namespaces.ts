import { describe, expect, it } from "vitest";
import { SessionStatus, State } from "../../../src/storage/records.js";
import {
  ACTOR,
  anAgentQuery,
  aRegistration,
  aReport,
  aSession,
  aSessionQuery,
  aSessionUpdate,
  NAMESPACE,
} from "../../helpers/records.js";
import { present, reasonOf, useStorage, type StorageFactory } from "./harness.js";

const OTHER = "other";

/** What happens in one namespace is not seen in another. */
export function namespacesContract(factory: StorageFactory): void {
  describe("namespaces", () => {
    const subject = useStorage(factory);

    it("hold agents with the same id apart", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.registerAgent(aRegistration("a"));
      const { agent, created } = await subject.storage.registerAgent(aRegistration("a", { namespace: OTHER }));
      expect({ created, incarnation: agent.record.incarnation }).toEqual({ created: true, incarnation: 1 });

      await subject.storage.setState(aReport("a", State.ACTIVE, { sequence: 9 }));
      await subject.storage.setState(aReport("a", State.IDLE, { namespace: OTHER, sequence: 1 }));
      const states = await Promise.all(
        [NAMESPACE, OTHER].map(
          async (namespace) => present(await subject.storage.getState({ namespace, agentId: "a" })).state,
        ),
      );
      expect(states).toEqual([State.ACTIVE, State.IDLE]);

      await subject.storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a", incarnation: 0, actor: ACTOR });
      expect(await subject.storage.getAgent({ namespace: OTHER, agentId: "a" })).toBeDefined();
    });

    it("hide everything from each other", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.startSession(aSession("s", "a"));
      const agent = { namespace: OTHER, agentId: "a" };
      const session = { namespace: OTHER, sessionId: "s" };
      const update = { ...agent, patch: {}, expectedRevision: 0, requestId: "", actor: ACTOR };
      const { storage } = subject;

      expect(await storage.getAgent(agent)).toBeUndefined();
      expect(await storage.getState(agent)).toBeUndefined();
      expect(await storage.readHistory({ ...agent, afterRevision: 0, limit: 10 })).toBeUndefined();
      expect(await storage.getSession(session)).toBeUndefined();
      expect((await storage.listAgents(anAgentQuery({ namespace: OTHER }))).items).toEqual([]);
      expect((await storage.listSessions(aSessionQuery({ namespace: OTHER }))).items).toEqual([]);
      expect((await storage.listSessions(aSessionQuery({ namespace: OTHER, agentId: "a" }))).items).toEqual([]);
      for (const ids of [undefined, ["a", "s"]]) {
        for (const snapshot of [
          await storage.snapshotAgents({ namespace: OTHER, ids }),
          await storage.snapshotSessions({ namespace: OTHER, ids }),
        ]) {
          for await (const page of snapshot.pages()) expect(page.items).toEqual([]);
        }
      }

      expect(await reasonOf(() => storage.updateAgent(update))).toBe("AGENT_NOT_FOUND");
      expect(await reasonOf(() => storage.renewLease({ ...agent, incarnation: 0 }))).toBe("AGENT_NOT_FOUND");
      expect(await reasonOf(() => storage.deregisterAgent({ ...agent, incarnation: 0, actor: ACTOR }))).toBe(
        "AGENT_NOT_FOUND",
      );
      expect(await reasonOf(() => storage.setState(aReport("a", State.IDLE, { namespace: OTHER })))).toBe(
        "AGENT_NOT_FOUND",
      );
      expect(await reasonOf(() => storage.startSession(aSession("t", "a", { namespace: OTHER })))).toBe(
        "AGENT_NOT_FOUND",
      );
      const sessionUpdate = aSessionUpdate("s", { status: SessionStatus.RUNNING }, { namespace: OTHER });
      expect(await reasonOf(() => storage.updateSession(sessionUpdate))).toBe("SESSION_NOT_FOUND");
    });

    it("are not mixed up by ids that look like the seams between them", async () => {
      await subject.storage.registerAgent(aRegistration("b:c", { namespace: "a" }));
      await subject.storage.registerAgent(aRegistration("c", { namespace: "a:b" }));
      expect(await subject.storage.getAgent({ namespace: "a:b", agentId: "c" })).toMatchObject({
        record: { namespace: "a:b", agentId: "c", incarnation: 1 },
      });
      expect((await subject.storage.listAgents(anAgentQuery({ namespace: "a" }))).items).toHaveLength(1);
    });

    it.each(["__proto__", "constructor", "hasOwnProperty", "0", "-1"])(
      "take %s as a name like any other",
      async (name) => {
        await subject.storage.registerAgent(aRegistration(name, { namespace: name }));
        await subject.storage.startSession(aSession(name, name, { namespace: name }));
        expect(await subject.storage.getAgent({ namespace: name, agentId: name })).toBeDefined();
        expect(
          (await subject.storage.listSessions(aSessionQuery({ namespace: name, agentId: name }))).items,
        ).toHaveLength(1);
      },
    );
  });

  describe("a closed storage", () => {
    const subject = useStorage(factory);

    it("refuses commands and reads and may be closed again", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      expect(await subject.storage.ready()).toBe(true);
      await subject.storage.close();
      await subject.storage.close();
      expect(await subject.storage.ready()).toBe(false);
      const key = { namespace: NAMESPACE, agentId: "a" };
      expect(await reasonOf(() => subject.storage.registerAgent(aRegistration("a")))).toBe("SERVER_STOPPING");
      expect(await reasonOf(() => subject.storage.setState(aReport("a", State.IDLE)))).toBe("SERVER_STOPPING");
      expect(await reasonOf(() => subject.storage.renewLease({ ...key, incarnation: 0 }))).toBe("SERVER_STOPPING");
      expect(await reasonOf(() => subject.storage.getAgent(key))).toBe("SERVER_STOPPING");
      expect(await reasonOf(() => subject.storage.head())).toBe("SERVER_STOPPING");
    });
  });
}
