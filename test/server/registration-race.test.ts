/** The race that the held report is for: an agent reports before its registration, made by somebody else, has arrived. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateService, WaitOutcome } from "../../gen/opscore/v1/state_service_pb.js";
import { startServer } from "../helpers/server.js";

const AGENTS = Array.from({ length: 40 }, (_, i) => `agent-${i}`);

describe("40 agents that report IDLE before they are registered", () => {
  // The delay is what happens to the agents, not what the test waits for: a notification that travels so long.
  it.each([0, 20, 50, 200])("by %i ms all end IDLE", async (delayMs) => {
    const { url } = await startServer({ logLevel: "warn" });
    const transport = createGrpcTransport({ baseUrl: url });
    const agents = createClient(AgentService, transport);
    const states = createClient(StateService, transport);

    const reports = AGENTS.map((agentId) => states.setState({ agentId, state: State.IDLE }));
    // Every other one is announced by a third party, and some of those twice.
    const register = async (agentId: string, i: number): Promise<void> => {
      await agents.registerAgent({ agentId, keepState: i % 2 === 0 });
      if (i % 4 === 0) await agents.registerAgent({ agentId, keepState: true });
    };
    let registrations: Promise<void>[] = [];
    setTimeout(() => (registrations = AGENTS.map(register)), delayMs);
    const waits = AGENTS.map((agentId) => states.waitForState({ agentId, states: [State.IDLE] }));

    for (const { state, changed } of await Promise.all(reports)) {
      expect(state?.state).toBe(State.IDLE);
      expect(changed).toBe(true);
    }
    await Promise.all(registrations);
    for (const { outcome } of await Promise.all(waits)) expect(outcome).toBe(WaitOutcome.REACHED);
    const listed = await agents.listAgents({ pageSize: 100 });
    expect(listed.agents.map(({ state }) => state?.state)).toEqual(AGENTS.map(() => State.IDLE));
  });
});
