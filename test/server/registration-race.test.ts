/** The race that the held report is for: an agent reports before its registration, made by somebody else, has arrived. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateService, WaitOutcome } from "../../gen/opscore/v1/state_service_pb.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { freshPrefix } from "../helpers/redis-storage.js";
import { startServer } from "../helpers/server.js";

const AGENTS = Array.from({ length: 40 }, (_, i) => `agent-${i}`);

/** Where reports go, and where registrations do. */
type Deployment = () => Promise<readonly [reports: string, registrations: string]>;

let redis: RedisProcess;

beforeAll(async () => {
  redis = await RedisProcess.start();
});

afterAll(() => redis.remove());

const inMemory: Deployment = async () => {
  const { url } = await startServer({ logLevel: "warn" });
  return [url, url];
};

const onTwoReplicas: Deployment = async () => {
  const settings = { storageType: "redis", redisUrl: redis.url, redisPrefix: freshPrefix(), logLevel: "warn" } as const;
  const [one, other] = await Promise.all([startServer(settings), startServer(settings)]);
  return [one.url, other.url];
};

describe.each([
  ["in memory", inMemory],
  ["on two replicas, registered through the other one", onTwoReplicas],
])("40 agents that report IDLE before they are registered, %s", (_, deploy) => {
  // The delay is what happens to the agents, not what the test waits for: a notification that travels so long.
  it.each([0, 20, 50, 200])("by %i ms all end IDLE", async (delayMs) => {
    const [reportsUrl, registrationsUrl] = await deploy();
    const agents = createClient(AgentService, createGrpcTransport({ baseUrl: registrationsUrl }));
    const states = createClient(StateService, createGrpcTransport({ baseUrl: reportsUrl }));

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
