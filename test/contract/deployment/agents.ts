import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Liveness, State } from "../../../gen/opscore/v1/common_pb.js";
import { openSubject, refusal, type Deployment } from "./subject.js";

export function agentsContract(deployment: () => Deployment): void {
  describe("agents", () => {
    it("are the same through the other replica as they were answered by the first, to the last field", async () => {
      const { here, there } = openSubject(deployment());
      const { agent, created } = await here.agents.registerAgent({
        agentId: "a",
        displayName: "An agent",
        version: "1.2.3",
        capabilities: ["cook", "clean"],
        contactEndpoint: "https://agent.example/run",
        labels: { zone: "eu", tier: "gold" },
        metadata: { nested: { list: [1, "two", null, true] } },
        initialState: State.IDLE,
        maxConcurrentTasks: 3,
      });
      expect(created).toBe(true);
      expect((await there.agents.getAgent({ agentId: "a" })).agent).toEqual(agent);
      expect((await there.agents.listAgents({})).agents).toEqual([agent]);
      expect((await there.states.getState({ agentId: "a" })).state).toEqual(agent?.state);
    });

    it("get one incarnation each, however many register at once through both", async () => {
      const { here, there } = openSubject(deployment());
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? here : there).agents.registerAgent({ agentId: "a" })),
      );
      expect(answers.filter(({ created }) => created)).toHaveLength(1);
      const incarnations = answers.map(({ agent }) => Number(agent?.incarnation)).sort((a, b) => a - b);
      expect(incarnations).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    });

    it("answer a repeated registration as the first time, from the other replica too", async () => {
      const { here, there } = openSubject(deployment());
      const request = { agentId: "a", requestId: "r1" };
      const first = await here.agents.registerAgent(request);
      expect(await there.agents.registerAgent(request)).toEqual(first);
      expect((await here.agents.getAgent({ agentId: "a" })).agent?.incarnation).toBe(1n);
    });

    it("keep state and incarnation when a third party announces them again elsewhere", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.ACTIVE });
      const { agent, created } = await there.agents.registerAgent({
        agentId: "a",
        displayName: "again",
        keepState: true,
      });
      expect({
        created,
        name: agent?.displayName,
        incarnation: agent?.incarnation,
        state: agent?.state?.state,
      }).toEqual({ created: false, name: "again", incarnation: 1n, state: State.ACTIVE });
    });

    it("are updated as a compare-and-set that only one of two replicas wins", async () => {
      const { here, there } = openSubject(deployment());
      const { agent } = await here.agents.registerAgent({ agentId: "a" });
      const outcomes = await Promise.allSettled(
        [here, there].map((client, i) =>
          client.agents.updateAgent({
            agent: { agentId: "a", displayName: `by ${i}` },
            updateMask: { paths: ["display_name"] },
            expectedRevision: agent?.revision ?? 0n,
          }),
        ),
      );
      const won = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.agent] : []));
      expect(won).toHaveLength(1);
      expect((await there.agents.getAgent({ agentId: "a" })).agent).toEqual(won[0]);
    });

    it("are listed by page, label, capability and state, with the page tokens of the other replica", async () => {
      const { here, there } = openSubject(deployment());
      const ids = Array.from({ length: 25 }, (_, i) => `agent-${String(i).padStart(2, "0")}`);
      await Promise.all(
        ids.map((agentId, i) =>
          here.agents.registerAgent({
            agentId,
            labels: { parity: i % 2 === 0 ? "even" : "odd" },
            capabilities: i % 5 === 0 ? ["cook"] : [],
            initialState: i < 10 ? State.IDLE : State.ACTIVE,
          }),
        ),
      );
      const seen: string[] = [];
      let pageToken = "";
      let turn = 0;
      do {
        const page = await (turn++ % 2 === 0 ? there : here).agents.listAgents({ pageSize: 4, pageToken });
        seen.push(...page.agents.map(({ agentId }) => agentId));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect([...seen].sort()).toEqual(ids);
      const listed = async (query: Parameters<typeof there.agents.listAgents>[0]): Promise<string[]> =>
        (await there.agents.listAgents(query)).agents.map(({ agentId }) => agentId).sort();
      expect(await listed({ labelSelector: "parity=even", states: [State.IDLE] })).toEqual(
        ids.filter((_, i) => i % 2 === 0 && i < 10),
      );
      expect(await listed({ capabilities: ["cook"] })).toEqual(ids.filter((_, i) => i % 5 === 0));
    });

    it("renew their lease anywhere, and are fenced everywhere", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", leaseTtl: durationFromMs(60_000) });
      const { lease } = await there.agents.heartbeat({ agentId: "a", incarnation: 1n });
      expect(lease?.ttl).toEqual(durationFromMs(60_000));
      await there.agents.registerAgent({ agentId: "a", leaseTtl: durationFromMs(60_000) });
      expect(await refusal(here.agents.heartbeat({ agentId: "a", incarnation: 1n }))).toBe("STALE_INCARNATION");
      expect(await refusal(here.states.setState({ agentId: "a", state: State.IDLE, incarnation: 1n }))).toBe(
        "STALE_INCARNATION",
      );
      expect(await refusal(here.agents.deregisterAgent({ agentId: "a", incarnation: 1n }))).toBe("STALE_INCARNATION");
    });

    it("are gone for both once they are deregistered, and begin anew", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      await there.agents.deregisterAgent({ agentId: "a" });
      expect(await refusal(here.agents.getAgent({ agentId: "a" }))).toBe("AGENT_NOT_FOUND");
      expect((await here.agents.listAgents({})).agents).toEqual([]);
      expect((await here.states.getStateHistory({ agentId: "a" })).events.length).toBeGreaterThan(0);
      const { agent, created } = await here.agents.registerAgent({ agentId: "a" });
      expect(created).toBe(true);
      expect(agent?.incarnation).toBe(2n);
      expect(agent?.state).toMatchObject({ state: State.UNKNOWN, liveness: Liveness.ALIVE });
    });
  });
}
