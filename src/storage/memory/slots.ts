import { Liveness, State } from "../records.js";
import type { AgentKey, AttemptKey, ReserveSlot, Slot, SlotOutcome } from "../storage.js";
import { taskName } from "../tasks.js";
import type { Commits } from "./commits.js";
import type { AgentEntry, Namespaces } from "./entries.js";

const UNAVAILABLE: SlotOutcome = { kind: "unavailable" };

/** The room that agents have for tasks. Nothing of it is in the log. */
export class Slots {
  constructor(
    private readonly namespaces: Namespaces,
    private readonly commits: Commits,
  ) {}

  reserve(command: ReserveSlot): SlotOutcome {
    const { namespace, agentId, incarnation, sessionId, taskId, attempt } = command;
    const entry = this.namespaces.agent(namespace, agentId);
    if (entry?.record.incarnation !== incarnation) return UNAVAILABLE;
    const key = taskName(command);
    const held = entry.slots?.get(key);
    const reserved: SlotOutcome = { kind: "reserved", agentRevision: entry.state.revision };
    if (held?.attempt === attempt) return reserved;
    if (!takesTasks(entry) || (held?.attempt ?? 0) > attempt) return UNAVAILABLE;
    const now = this.commits.commitTime;
    const slots = (entry.slots ??= new Map<string, Slot>());
    if (held === undefined && slots.size >= entry.record.maxConcurrentTasks) {
      return { kind: "full", slots: [...slots.values()], now };
    }
    slots.set(key, { sessionId, taskId, attempt, reserveTime: now });
    return reserved;
  }

  release(command: AgentKey & AttemptKey): void {
    const { namespace, agentId, attempt } = command;
    const entry = this.namespaces.agent(namespace, agentId);
    const slots = entry?.slots;
    const key = taskName(command);
    if (entry === undefined || slots?.get(key)?.attempt !== attempt) return;
    slots.delete(key);
    if (slots.size === 0) entry.slots = undefined;
  }
}

function takesTasks({ state, record }: AgentEntry): boolean {
  if (state.liveness !== Liveness.ALIVE) return false;
  return state.state === State.IDLE || (state.state === State.ACTIVE && record.maxConcurrentTasks > 1);
}
