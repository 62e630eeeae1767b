/** The requests of AgentService. */
import * as agentService from "../../../../gen/opscore/v1/agent_service_pb.js";
import {
  badCounts,
  badData,
  badIds,
  badMasks,
  badPageSizes,
  badRequestIds,
  LONG,
  type Method,
  type Methods,
} from "./method.js";

/** What RegisterAgentRequest and Agent have in common. */
const badProfile = (prefix: string): Method["bad"] => ({
  display_name: [[{ displayName: "x".repeat(256) }, `${prefix}display_name`]],
  version: [[{ version: "x".repeat(256) }, `${prefix}version`]],
  capabilities: [
    [{ capabilities: ["ok", ""] }, `${prefix}capabilities[1]`],
    [{ capabilities: [LONG, "ok", LONG] }, `${prefix}capabilities[0]`, `${prefix}capabilities[2]`],
    [{ capabilities: Array.from({ length: 257 }, (_, i) => `c${i}`) }, `${prefix}capabilities`],
  ],
  contact_endpoint: [
    "agent.example",
    "/run",
    "ftp://agent.example",
    "http:agent.example",
    "http://",
    "http://user:secret@agent.example",
    "http://user@agent.example",
    "http://agent.example/a b",
    "http:\\\\agent.example",
    "javascript:alert(1)",
    `http://agent.example/${"x".repeat(2_048)}`,
  ].map((contactEndpoint) => [{ contactEndpoint }, `${prefix}contact_endpoint`] as const),
  labels: [
    [{ labels: { "bad key": "v", good: "v" } }, `${prefix}labels["bad key"]`],
    [{ labels: { "": "v" } }, `${prefix}labels[""]`],
    [{ labels: { ["k".repeat(64)]: "v" } }, `${prefix}labels["${"k".repeat(64)}"]`],
    [{ labels: { ["k".repeat(500)]: "v" } }, `${prefix}labels["${"k".repeat(64)}…"]`],
    [{ labels: { key: "v".repeat(256) } }, `${prefix}labels["key"]`],
    [{ labels: JSON.parse('{"__proto__":"v"}') as object }, `${prefix}labels["__proto__"]`],
    [{ labels: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ""])) }, `${prefix}labels`],
  ],
  metadata: badData("metadata", `${prefix}metadata`),
  lease_ttl: [
    {},
    { nanos: 99_999_999 },
    { seconds: -1n },
    { seconds: 1n, nanos: -1 },
    { seconds: 86_400n, nanos: 1 },
    { seconds: 2n ** 62n },
    { nanos: 1_000_000_000 },
  ].map((leaseTtl) => [{ leaseTtl }, `${prefix}lease_ttl`] as const),
  max_concurrent_tasks: [-1, 1_001].map(
    (maxConcurrentTasks) => [{ maxConcurrentTasks }, `${prefix}max_concurrent_tasks`] as const,
  ),
  task_delivery: [-1, 4].map((taskDelivery) => [{ taskDelivery }, `${prefix}task_delivery`] as const),
});

export const AGENT_METHODS: Methods = {
  RegisterAgent: {
    schema: agentService.RegisterAgentRequestSchema,
    call: (h, request) => h.agents.registerAgent(request),
    base: { agentId: "a" },
    harmless: ["keep_state"],
    bad: {
      agent_id: badIds("agentId", "agent_id"),
      ...badProfile(""),
      initial_state: [7, -1, 1_000_000].map((initialState) => [{ initialState }, "initial_state"] as const),
      request_id: badRequestIds,
    },
  },
  DeregisterAgent: {
    schema: agentService.DeregisterAgentRequestSchema,
    call: (h, request) => h.agents.deregisterAgent(request),
    base: { agentId: "a" },
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      incarnation: badCounts("incarnation", "incarnation"),
    },
  },
  GetAgent: {
    schema: agentService.GetAgentRequestSchema,
    call: (h, request) => h.agents.getAgent(request),
    base: { agentId: "a" },
    bad: { agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")] },
  },
  ListAgents: {
    schema: agentService.ListAgentsRequestSchema,
    call: (h, request) => h.agents.listAgents(request),
    base: {},
    harmless: ["page_token"],
    bad: {
      label_selector: ["a=b=c", "in (a)", "a in (", "=", "a,", "é", " x".repeat(2_049)].map(
        (labelSelector) => [{ labelSelector }, "label_selector"] as const,
      ),
      capabilities: [
        [{ capabilities: [""] }, "capabilities[0]"],
        [{ capabilities: Array.from({ length: 257 }, (_, i) => `c${i}`) }, "capabilities"],
      ],
      states: [
        [{ states: [3, 0] }, "states[1]"],
        [{ states: [7, 3, -1] }, "states[0]", "states[2]"],
        [{ states: new Array<number>(65).fill(3) }, "states"],
      ],
      liveness: [
        [{ liveness: [0] }, "liveness[0]"],
        [{ liveness: [1, 4] }, "liveness[1]"],
      ],
      page_size: badPageSizes,
    },
  },
  UpdateAgent: {
    schema: agentService.UpdateAgentRequestSchema,
    call: (h, request) => h.agents.updateAgent(request),
    base: { agent: { agentId: "a", version: "2" } },
    bad: {
      agent: [
        [{ agent: { agentId: "" } }, "agent.agent_id"],
        [{ agent: undefined }, "agent"],
        ...Object.values(badProfile("agent."))
          .flat()
          .map(([agent, ...paths]) => [{ agent: { agentId: "a", ...agent } }, ...paths] as const)
          // Nothing set is nothing to change, unless a mask says otherwise.
          .filter(([{ agent }]) => Object.keys(agent).length > 1),
      ],
      update_mask: badMasks("version"),
      expected_revision: badCounts("expectedRevision", "expected_revision"),
      request_id: badRequestIds,
    },
  },
  Heartbeat: {
    schema: agentService.HeartbeatRequestSchema,
    call: (h, request) => h.agents.heartbeat(request),
    base: { agentId: "a" },
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      incarnation: badCounts("incarnation", "incarnation"),
    },
  },
};
