import { TaskDelivery } from "../../storage/records.js";

/** For how long an agent that takes its tasks from a stream has one without renewing it, in milliseconds. */
export const TASK_LEASE_MS = 30_000;

/** Whether tasks are brought to the agent, which then answers them by its reports too. */
export function isPushed(delivery: TaskDelivery): boolean {
  return delivery === TaskDelivery.ENDPOINT || delivery === TaskDelivery.AGENTKIT;
}

/**
 * How long a lease of an attempt is without a renewal, in milliseconds. An agent on a stream shows by its renewals that it is there;
 * whoever gets its task by a request is not asked to know of leases and has the whole attempt.
 *
 * @param timeoutMs how long the attempt may take
 */
export function taskLeaseMs(delivery: TaskDelivery, timeoutMs: number): number {
  return isPushed(delivery) ? timeoutMs : Math.min(TASK_LEASE_MS, timeoutMs);
}
