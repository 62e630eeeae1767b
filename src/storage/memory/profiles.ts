import { jsonEquals } from "../../lib/json.js";
import type { AgentProfile, AgentRecord } from "../records.js";
import { agentSize } from "../sizes.js";

/** What an agent record says beside its profile. */
type Identity = Omit<AgentRecord, keyof AgentProfile | "size">;

/** Makes an agent record. */
export function agentRecord(identity: Identity, profile: AgentProfile): AgentRecord {
  return {
    namespace: identity.namespace,
    agentId: identity.agentId,
    displayName: profile.displayName,
    version: profile.version,
    capabilities: profile.capabilities,
    contactEndpoint: profile.contactEndpoint,
    labels: profile.labels,
    metadata: profile.metadata,
    leaseTtlMs: profile.leaseTtlMs,
    maxConcurrentTasks: profile.maxConcurrentTasks,
    taskDelivery: profile.taskDelivery,
    incarnation: identity.incarnation,
    registerTime: identity.registerTime,
    updateTime: identity.updateTime,
    revision: identity.revision,
    size: agentSize(identity.agentId, profile),
  };
}

export function profileEquals(a: AgentProfile, b: AgentProfile): boolean {
  return (
    a.displayName === b.displayName &&
    a.version === b.version &&
    a.contactEndpoint === b.contactEndpoint &&
    a.leaseTtlMs === b.leaseTtlMs &&
    a.maxConcurrentTasks === b.maxConcurrentTasks &&
    a.taskDelivery === b.taskDelivery &&
    jsonEquals(a.capabilities, b.capabilities) &&
    jsonEquals(a.labels, b.labels) &&
    jsonEquals(a.metadata, b.metadata)
  );
}
