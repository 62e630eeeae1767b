import { TaskDelivery as TaskDeliveryMessage, type Agent as AgentMessage } from "../../gen/opscore/v1/common_pb.js";
import { TaskDelivery, type AgentProfile } from "../storage/records.js";
import type { Limits } from "./limits.js";
import {
  capabilities,
  duration,
  freeData,
  httpUrl,
  labels,
  name,
  patch,
  taskDelivery,
  whole,
  type MaskedFields,
  type Violations,
} from "./validation/index.js";

/** What `RegisterAgentRequest` and `Agent` have in common: what an agent says about itself. */
type ProfileMessage = Pick<
  AgentMessage,
  | "displayName"
  | "version"
  | "capabilities"
  | "contactEndpoint"
  | "labels"
  | "metadata"
  | "leaseTtl"
  | "maxConcurrentTasks"
  | "taskDelivery"
>;

const DEFAULT_CONCURRENT_TASKS = 1;

/** The fields of a profile by their path, which is also what the mask of an update may name. */
export const PROFILE_FIELDS: MaskedFields<ProfileMessage, AgentProfile> = {
  display_name: {
    isSet: (message) => message.displayName !== "",
    read: (bad, field, message) => ({ displayName: name(bad, field, message.displayName) }),
  },
  version: {
    isSet: (message) => message.version !== "",
    read: (bad, field, message) => ({ version: name(bad, field, message.version) }),
  },
  capabilities: {
    isSet: (message) => message.capabilities.length > 0,
    read: (bad, field, message, limits) => ({
      capabilities: capabilities(bad, field, message.capabilities, limits.capabilities),
    }),
  },
  contact_endpoint: {
    isSet: (message) => message.contactEndpoint !== "",
    read: (bad, field, message) => ({ contactEndpoint: httpUrl(bad, field, message.contactEndpoint) }),
  },
  labels: {
    isSet: (message) => Object.keys(message.labels).length > 0,
    read: (bad, field, message, limits) => ({ labels: labels(bad, field, message.labels, limits.labels) }),
  },
  metadata: {
    isSet: (message) => message.metadata !== undefined,
    read: (bad, field, message, limits) => ({ metadata: freeData(bad, field, message.metadata, limits) }),
  },
  lease_ttl: {
    isSet: (message) => message.leaseTtl !== undefined,
    read: (bad, field, message, { minLeaseTtlMs, maxLeaseTtlMs }) => ({
      leaseTtlMs: duration(bad, field, message.leaseTtl, minLeaseTtlMs, maxLeaseTtlMs) ?? 0,
    }),
  },
  max_concurrent_tasks: {
    isSet: (message) => message.maxConcurrentTasks !== 0,
    read: (bad, field, message, { concurrentTasks }) => ({
      maxConcurrentTasks: whole(bad, field, message.maxConcurrentTasks || DEFAULT_CONCURRENT_TASKS, 1, concurrentTasks),
    }),
  },
  task_delivery: {
    isSet: (message) => message.taskDelivery !== TaskDeliveryMessage.UNSPECIFIED,
    read: (bad, field, message) => ({ taskDelivery: taskDelivery(bad, field, message.taskDelivery) }),
  },
};

const NOTHING_SAID: AgentProfile = {
  displayName: "",
  version: "",
  capabilities: [],
  contactEndpoint: "",
  labels: {},
  metadata: undefined,
  leaseTtlMs: 0,
  maxConcurrentTasks: DEFAULT_CONCURRENT_TASKS,
  taskDelivery: TaskDelivery.AUTO,
};

/** The profile of a registration: what is not set is empty. */
export function readProfile(bad: Violations, message: ProfileMessage, limits: Limits): AgentProfile {
  return { ...NOTHING_SAID, ...patch(bad, "", PROFILE_FIELDS, message, undefined, limits) };
}
