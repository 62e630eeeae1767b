import { describe, expect, it } from "vitest";
import { parseSelector } from "../../../src/lib/selector.js";
import { Liveness, State } from "../../../src/storage/records.js";
import type { ListAgents } from "../../../src/storage/storage.js";
import { ACTOR, anAgentQuery, aRegistration, aReport, NAMESPACE } from "../../helpers/records.js";
import { failureOf, times, useStorage, type StorageFactory, type Subject } from "./harness.js";
import { LEASE_MS } from "./leases.js";

async function walk({ replica }: Subject, query: Partial<ListAgents> = {}): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await replica.listAgents(anAgentQuery({ ...query, cursor }));
    expect(page.items.length).toBeLessThanOrEqual(query.limit ?? 50);
    ids.push(...page.items.map(({ record }) => record.agentId));
    cursor = page.next;
  } while (cursor !== undefined);
  return ids;
}

/** ListAgents. */
export function listsContract(factory: StorageFactory): void {
  describe("list of agents", () => {
    const subject = useStorage(factory);
    const ids = times(23, (index) => `agent-${(index * 7) % 23}`);
    const registerAll = async () => {
      for (const id of ids) await subject.storage.registerAgent(aRegistration(id));
    };
    const deregister = (agentId: string) =>
      subject.storage.deregisterAgent({ namespace: NAMESPACE, agentId, incarnation: 0, actor: ACTOR });

    it("is empty at first", async () => {
      expect(await subject.storage.listAgents(anAgentQuery())).toEqual({ items: [], next: undefined });
    });

    it("holds agents as they are read one by one", async () => {
      await registerAll();
      const { items } = await subject.storage.listAgents(anAgentQuery());
      for (const agent of items) {
        expect(await subject.storage.getAgent({ namespace: NAMESPACE, agentId: agent.record.agentId })).toEqual(agent);
      }
    });

    it.each([1, 2, 5, 22, 23, 24, 1_000])("comes in the order of first registration, in pages of %i", async (limit) => {
      await registerAll();
      // What happens to an agent later does not move it.
      await subject.storage.registerAgent(aRegistration(ids[0] ?? ""));
      await subject.storage.setState(aReport(ids[1] ?? "", State.IDLE));
      expect(await walk(subject, { limit })).toEqual(ids);
    });

    it("leaves a page's place alone when agents come and go between pages", async () => {
      await registerAll();
      const first = await subject.storage.listAgents(anAgentQuery({ limit: 10 }));
      for (const id of ids.slice(5, 15)) await deregister(id);
      await subject.storage.registerAgent(aRegistration("late"));
      const second = await subject.storage.listAgents(anAgentQuery({ limit: 1_000, cursor: first.next }));
      expect(second.items.map(({ record }) => record.agentId)).toEqual([...ids.slice(15), "late"]);
    });

    it("puts an agent that comes back at the end", async () => {
      await registerAll();
      await deregister(ids[3] ?? "");
      await subject.storage.registerAgent(aRegistration(ids[3] ?? ""));
      expect(await walk(subject)).toEqual([...ids.slice(0, 3), ...ids.slice(4), ids[3]]);
    });

    it("is right after most agents have gone", async () => {
      const many = times(300, (index) => `many-${index}`);
      for (const id of many) await subject.storage.registerAgent(aRegistration(id));
      const middle = await subject.storage.listAgents(anAgentQuery({ limit: 150 }));
      for (const id of many) if (!id.endsWith("7")) await deregister(id);
      expect(await walk(subject, { limit: 4 })).toEqual(many.filter((id) => id.endsWith("7")));
      expect(await walk(subject)).toEqual(many.filter((id) => id.endsWith("7")));
      const rest = await subject.storage.listAgents(anAgentQuery({ limit: 1_000, cursor: middle.next }));
      expect(rest.items.map(({ record }) => record.agentId)).toEqual(many.slice(150).filter((id) => id.endsWith("7")));
    });

    it.each([
      "",
      " ",
      "x",
      "!",
      "a",
      "s1",
      "a-1",
      "a1.5",
      "aNaN",
      "a 1",
      "aZZ",
      "a01",
      "a\u0000",
      "z".repeat(500),
      "🙂",
    ])("refuses the cursor %o, which it never gave", async (cursor) => {
      await registerAll();
      const failure = await failureOf(() => subject.storage.listAgents(anAgentQuery({ cursor })));
      expect(failure.reason).toBe("INVALID_PAGE_TOKEN");
    });
  });

  describe("filters of the list of agents", () => {
    const subject = useStorage(factory);
    const register = async () => {
      const agents = [
        aRegistration("a", { labels: { env: "prod", tier: "web" }, capabilities: ["plan", "write"] }),
        aRegistration("b", { labels: { env: "prod" }, capabilities: ["plan"], initialState: State.IDLE }),
        aRegistration("c", { labels: { env: "dev" }, initialState: State.ACTIVE }),
        aRegistration("d", { capabilities: ["write"], leaseTtlMs: LEASE_MS, initialState: State.IDLE }),
      ];
      for (const agent of agents) await subject.storage.registerAgent(agent);
      await subject.advance(LEASE_MS);
      await subject.storage.expireLeases({ stalledMs: 0 });
    };

    it.each([
      ["env=prod", ["a", "b"]],
      ["env!=prod", ["c", "d"]],
      ["env in (dev,test)", ["c"]],
      ["env notin (dev)", ["a", "b", "d"]],
      ["tier", ["a"]],
      ["!env", ["d"]],
      ["env=prod,!tier", ["b"]],
      ["env=none", []],
    ])("selects %s", async (selector, expected) => {
      await register();
      expect(await walk(subject, { selector: parseSelector(selector) })).toEqual(expected);
      expect(await walk(subject, { selector: parseSelector(selector), limit: 1 })).toEqual(expected);
    });

    it.each([
      [{ capabilities: ["plan"] }, ["a", "b"]],
      [{ capabilities: ["plan", "write"] }, ["a"]],
      [{ capabilities: ["fly"] }, []],
      [{ states: [State.IDLE] }, ["b", "d"]],
      [{ states: [State.UNKNOWN, State.ACTIVE] }, ["a", "c"]],
      [{ liveness: [Liveness.SUSPECT] }, ["d"]],
      [{ liveness: [Liveness.ALIVE, Liveness.LOST] }, ["a", "b", "c"]],
      [{ states: [State.IDLE], liveness: [Liveness.ALIVE], capabilities: ["plan"] }, ["b"]],
    ])("filters %o", async (query, expected) => {
      await register();
      expect(await walk(subject, query)).toEqual(expected);
      expect(await walk(subject, { ...query, limit: 1 })).toEqual(expected);
    });

    it("follow what changes", async () => {
      await register();
      const selector = parseSelector("env=prod");
      const update = { namespace: NAMESPACE, expectedRevision: 0, requestId: "", actor: ACTOR };
      await subject.storage.updateAgent({ ...update, agentId: "a", patch: { labels: {} } });
      await subject.storage.updateAgent({ ...update, agentId: "d", patch: { labels: { env: "prod" } } });
      expect(await walk(subject, { selector })).toEqual(["b", "d"]);
    });
  });
}
