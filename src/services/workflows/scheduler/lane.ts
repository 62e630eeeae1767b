import { Heap } from "../../../lib/heap.js";
import { goesBefore, type AgentView, type TaskView } from "./views.js";

/** Tasks and agents that can have each other: those of one capability, or those bound to one agent and that agent. */
export class Lane {
  readonly tasks = new Heap<TaskView>(goesBefore);
  /** Those that can take a task now. The one that has waited longest, or was used least recently, is the first. */
  readonly agents = new Set<AgentView>();

  constructor(readonly key: string) {}

  get isEmpty(): boolean {
    return this.tasks.size === 0 && this.agents.size === 0;
  }

  /** The task that goes next and the agent that gets it, when there is one of each. */
  get match(): { readonly task: TaskView; readonly agent: AgentView } | undefined {
    const task = this.tasks.first;
    const [agent] = this.agents;
    return task === undefined || agent === undefined ? undefined : { task, agent };
  }
}

/** The lane in which a task waits. */
export function laneOfTask({ boundAgentId, capability }: TaskView): string {
  return boundAgentId === "" ? laneOfCapability(capability) : laneOfAgent(boundAgentId);
}

export function laneOfAgent(agentId: string): string {
  return `@${agentId}`;
}

export function laneOfCapability(capability: string): string {
  return `#${capability}`;
}
