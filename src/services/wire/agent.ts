import type { Agent as AgentMessage } from "../../../gen/opscore/v1/common_pb.js";
import type { Lease } from "../../../gen/opscore/v1/agent_service_pb.js";
import type { Agent } from "../../storage/records.js";
import type { RenewedLease } from "../../storage/storage.js";
import { toAgentState } from "./state.js";
import { toStruct } from "./struct.js";
import { toDuration, toTimestamp } from "./time.js";

/** An agent for the wire. */
export function toAgent({ record, state, leaseExpireTime }: Agent): AgentMessage {
  return {
    $typeName: "opscore.v1.Agent",
    agentId: record.agentId,
    displayName: record.displayName,
    version: record.version,
    capabilities: [...record.capabilities],
    contactEndpoint: record.contactEndpoint,
    labels: record.labels,
    metadata: toStruct(record.metadata),
    leaseTtl: record.leaseTtlMs === 0 ? undefined : toDuration(record.leaseTtlMs),
    leaseExpireTime: leaseExpireTime === undefined ? undefined : toTimestamp(leaseExpireTime),
    incarnation: BigInt(record.incarnation),
    state: toAgentState(state),
    registerTime: toTimestamp(record.registerTime),
    updateTime: toTimestamp(record.updateTime),
    revision: BigInt(record.revision),
    maxConcurrentTasks: record.maxConcurrentTasks,
    taskDelivery: record.taskDelivery,
  };
}

/** A renewed lease for the wire; undefined for an agent without one. */
export function toLease({ leaseTtlMs, remainingMs }: RenewedLease): Lease | undefined {
  if (leaseTtlMs === 0) return undefined;
  return {
    $typeName: "opscore.v1.Lease",
    ttl: toDuration(leaseTtlMs),
    remaining: toDuration(Math.max(0, remainingMs)),
  };
}
