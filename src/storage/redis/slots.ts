import type { AgentKey, AttemptKey, ReserveSlot, Slot, SlotOutcome } from "../storage.js";
import { taskName } from "../tasks.js";
import type { Commands } from "./commands.js";
import { CorruptRecordError } from "./failures.js";

/** The room that agents have for tasks. Nothing of it is in the log. */
export class Slots {
  constructor(private readonly commands: Commands) {}

  async reserve(command: ReserveSlot): Promise<SlotOutcome> {
    const { namespace, agentId, incarnation, attempt } = command;
    const args = [namespace, agentId, String(incarnation), taskName(command), String(attempt)];
    const reply = await this.commands.call("reserve-slot", this.partitionOf(command), args);
    const [kind, number, ...cells] = Array.isArray(reply) ? reply.map(String) : [];
    if (kind === "reserved") return { kind, agentRevision: Number(number) };
    if (kind === "unavailable") return { kind };
    const slots: Slot[] = [];
    const key = this.commands.keys.slots(this.partitionOf(command), namespace, agentId);
    for (let at = 0; at < cells.length; at += 2) slots.push(toSlot(cells[at] ?? "", cells[at + 1] ?? "", key));
    return { kind: "full", slots, now: Number(number) };
  }

  async release(command: AgentKey & AttemptKey): Promise<void> {
    const { namespace, agentId, attempt } = command;
    const args = [namespace, agentId, taskName(command), String(attempt)];
    await this.commands.call("release-slot", this.partitionOf(command), args);
  }

  private partitionOf({ namespace, agentId }: AgentKey): number {
    return this.commands.keys.partitionOf(namespace, agentId);
  }
}

/** @param key where it came from, for the error */
function toSlot(task: string, value: string, key: string): Slot {
  const [sessionId = "", taskId = ""] = task.split("/");
  const [attempt = NaN, reserveTime = NaN] = value.split(" ").map(Number);
  if (Number.isNaN(attempt) || Number.isNaN(reserveTime)) {
    throw new CorruptRecordError(key, "not a slot");
  }
  return { sessionId, taskId, attempt, reserveTime };
}
