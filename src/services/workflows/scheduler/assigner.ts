import { OpsCoreError } from "../../../errors/index.js";
import { SessionStatus, TaskStatus, type TaskRecord } from "../../../storage/records.js";
import type { Slot, Storage } from "../../../storage/storage.js";
import { TASK_LEASE_MS } from "../leases.js";
import type { AgentView, TaskView } from "./views.js";

/** A reservation that is younger than this may still become a lease, in milliseconds. */
const RESERVATION_MS = 5_000;

/** What became of a proposal. */
export type AssignmentOutcome =
  | { readonly kind: "leased"; readonly task: TaskRecord }
  /** The agent does not take it. `recheckMs`: when it may, though the log brings no news of it. */
  | { readonly kind: "agent-refused"; readonly recheckMs: number | undefined }
  /** The task is not there to be leased; READY means that its session is held, or that its time has not come. */
  | { readonly kind: "task-refused"; readonly status: TaskStatus | undefined; readonly isHeld: boolean };

type AssignerStorage = Pick<Storage, "reserveSlot" | "releaseSlot" | "leaseTask" | "getTask" | "getSession">;

/**
 * Carries out one proposal: a slot of the agent, then the lease of the task. Two replicas that carry out the same proposal both
 * succeed, as with one; of two different ones for one task, or for an agent's last slot, one is refused and undone.
 *
 * @throws what the storage throws when it cannot be reached; a reservation may then be left, which {@link freeUnused} finds
 */
export async function assign(
  storage: AssignerStorage,
  namespace: string,
  task: TaskView,
  agent: AgentView,
): Promise<AssignmentOutcome> {
  const { sessionId, taskId } = task;
  const { agentId, incarnation } = agent;
  const attempt = task.attempt + 1;
  const key = { namespace, sessionId, taskId, attempt };
  const reserve = () => storage.reserveSlot({ ...key, agentId, incarnation });
  let outcome = await reserve();
  if (outcome.kind === "full" && (await freeUnused(storage, namespace, agent, outcome.slots, outcome.now))) {
    outcome = await reserve();
  }
  if (outcome.kind === "full") return { kind: "agent-refused", recheckMs: RESERVATION_MS };
  if (outcome.kind === "unavailable") return { kind: "agent-refused", recheckMs: undefined };
  // Where the agent does not renew, whoever brings the task to it renews once: a task that was never brought is soon free again.
  const lease = {
    agentId,
    agentIncarnation: incarnation,
    agentRevision: outcome.agentRevision,
    delivery: agent.traits.delivery,
    leaseMs: TASK_LEASE_MS,
  };
  try {
    const leased = await storage.leaseTask({ ...key, ...lease });
    return { kind: "leased", task: leased };
  } catch (thrown) {
    if (!(thrown instanceof OpsCoreError) || !REFUSALS.has(thrown.reason)) throw thrown;
    await storage.releaseSlot({ ...key, agentId });
    const status = STATUSES.get(thrown.metadata["status"] ?? "");
    const session = status === TaskStatus.READY ? await storage.getSession({ namespace, sessionId }) : undefined;
    return { kind: "task-refused", status, isHeld: session?.status === SessionStatus.PAUSED };
  }
}

const REFUSALS: ReadonlySet<string> = new Set(["STALE_ATTEMPT", "TASK_NOT_FOUND"]);
const STATUSES: ReadonlyMap<string, TaskStatus> = new Map(Object.entries(TaskStatus));

/**
 * Frees the slots of attempts that are not under way: their tasks ended, or were never leased, when whoever reserved or should have
 * released them was cut off.
 *
 * @returns whether there was one
 */
async function freeUnused(
  storage: AssignerStorage,
  namespace: string,
  { agentId }: AgentView,
  slots: readonly Slot[],
  now: number,
): Promise<boolean> {
  let freed = false;
  for (const { sessionId, taskId, attempt, reserveTime } of slots) {
    const key = { namespace, sessionId, taskId };
    const task = await storage.getTask(key);
    const isUnderWay = task?.status === TaskStatus.LEASED && task.attempt === attempt && task.agentId === agentId;
    // It may be about to be leased; but what has been answered since never will.
    const mayBegin = task !== undefined && task.attempt < attempt && now - reserveTime < RESERVATION_MS;
    if (isUnderWay || mayBegin) continue;
    await storage.releaseSlot({ ...key, agentId, attempt });
    freed = true;
  }
  return freed;
}
