/** Messages made by hand are the ones that `create()` would make, and survive both formats. */
import {
  create,
  equals,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
  type DescMessage,
  type MessageShape,
} from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { LeaseSchema } from "../../../gen/opscore/v1/agent_service_pb.js";
import { AgentSchema, AgentStateSchema } from "../../../gen/opscore/v1/common_pb.js";
import { SessionSchema } from "../../../gen/opscore/v1/session_service_pb.js";
import { StateEvent_Type, StateEventSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import {
  AgentChangeType,
  Liveness,
  SessionStatus,
  State,
  type Agent,
  type SessionRecord,
  type StateRecord,
} from "../../../src/storage/records.js";
import {
  toAgent,
  toAgentState,
  toDuration,
  toLease,
  toSession,
  toStateEvent,
  toTimestamp,
} from "../../../src/services/wire/index.js";

const at = Date.UTC(2031, 4, 6, 7, 8, 9, 123);

const bareState: StateRecord = {
  agentId: "a",
  state: State.IDLE,
  liveness: Liveness.ALIVE,
  reason: "",
  message: "",
  details: undefined,
  sessionId: "",
  taskId: "",
  incarnation: 1,
  sequence: 0,
  reportTime: undefined,
  commitTime: at,
  revision: 2,
  actor: "tester",
  cause: AgentChangeType.TRANSITION,
  size: 80,
};
const fullState: StateRecord = {
  ...bareState,
  reason: "RateLimited",
  message: "ünïcode ✓",
  details: { list: [1, "two", null, { three: true }], empty: {} },
  sessionId: "s",
  taskId: "t",
  incarnation: Number.MAX_SAFE_INTEGER,
  sequence: 2 ** 40,
  reportTime: -1,
  revision: Number.MAX_SAFE_INTEGER,
};
const bareAgent: Agent = {
  record: {
    namespace: "default",
    agentId: "a",
    displayName: "",
    version: "",
    capabilities: [],
    contactEndpoint: "",
    labels: {},
    metadata: undefined,
    leaseTtlMs: 0,
    maxConcurrentTasks: 1,
    taskDelivery: 0,
    incarnation: 1,
    registerTime: at,
    updateTime: at + 1,
    revision: 1,
    size: 80,
  },
  state: bareState,
  leaseExpireTime: undefined,
};
const fullAgent: Agent = {
  record: {
    ...bareAgent.record,
    displayName: "Agent A",
    version: "1.2.3",
    capabilities: ["read", "write"],
    contactEndpoint: "https://agent.example/run",
    labels: { env: "prod", tier: "db" },
    metadata: { k: [1] },
    leaseTtlMs: 1_500,
  },
  state: fullState,
  leaseExpireTime: at + 1_500,
};
const bareSession: SessionRecord = {
  namespace: "default",
  sessionId: "s",
  agentId: "a",
  workflowId: "",
  status: SessionStatus.STARTED,
  metadata: undefined,
  result: undefined,
  error: "",
  startTime: at,
  updateTime: at,
  endTime: undefined,
  revision: 3,
  size: 80,
};
const fullSession: SessionRecord = {
  ...bareSession,
  workflowId: "w",
  status: SessionStatus.FAILED,
  metadata: { k: 1 },
  result: { k: 2 },
  error: "e",
  endTime: at + 1,
};

function expectGenuine<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): void {
  const fields = Object.fromEntries(Object.entries(message).filter(([key]) => key !== "$typeName"));
  expect(equals(schema, create(schema, fields as never), message)).toBe(true);
  expect(Object.keys(create(schema)).filter((key) => !Object.hasOwn(message, key))).toEqual([]);
  expect(equals(schema, fromBinary(schema, toBinary(schema, message)), message)).toBe(true);
  expect(equals(schema, fromJsonString(schema, toJsonString(schema, message)), message)).toBe(true);
}

describe("messages made from records are genuine", () => {
  test("AgentState", () => {
    expectGenuine(AgentStateSchema, toAgentState(bareState));
    expectGenuine(AgentStateSchema, toAgentState(fullState));
  });

  test("Agent", () => {
    expectGenuine(AgentSchema, toAgent(bareAgent));
    expectGenuine(AgentSchema, toAgent(fullAgent));
  });

  test("Session", () => {
    expectGenuine(SessionSchema, toSession(bareSession));
    expectGenuine(SessionSchema, toSession(fullSession));
  });

  test("StateEvent", () => {
    expectGenuine(StateEventSchema, toStateEvent(StateEvent_Type.TRANSITION, fullState, bareState));
    expectGenuine(StateEventSchema, toStateEvent(StateEvent_Type.REGISTERED, bareState, undefined, toAgent(fullAgent)));
  });

  test("Lease", () => {
    const lease = toLease({ leaseTtlMs: 1_500, remainingMs: 250 });
    if (lease === undefined) throw new Error("no lease");
    expectGenuine(LeaseSchema, lease);
    expect(toLease({ leaseTtlMs: 0, remainingMs: 0 })).toBeUndefined();
    expect(toLease({ leaseTtlMs: 100, remainingMs: -5 })?.remaining).toEqual(toDuration(0));
  });

  test.each([0, 1, 999, 1_000, at, -1, -1_000, -62_135_596_800_000, 253_402_300_799_999, 1_234.5678])(
    "Timestamp and Duration of %s ms",
    (ms) => {
      expectGenuine(TimestampSchema, toTimestamp(ms));
      if (ms >= 0) expectGenuine(DurationSchema, toDuration(ms));
    },
  );
});

test("an agent's lists are its message's own", () => {
  const message = toAgent(fullAgent);
  message.capabilities.push("more");
  expect(fullAgent.record.capabilities).toEqual(["read", "write"]);
});
