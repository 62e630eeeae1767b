import {
  AgentChangeType,
  Liveness,
  TaskStatus,
  type AgentChange,
  type StateRecord,
  type TaskRecord,
} from "../../../storage/records.js";
import { isTerminal } from "../../../storage/state-machine.js";
import type { Storage } from "../../../storage/storage.js";
import { TaskFailure } from "../../../storage/tasks.js";
import { isPushed, taskLeaseMs } from "../leases.js";
import { readReport } from "./reports.js";
import type { Retrier } from "./retrier.js";
import type { AgentView, TaskView } from "./views.js";

/** How many records of history are read at a time. */
const HISTORY_PAGE = 1_000;

/**
 * What follows for tasks from what becomes of their agents, and for agents from what becomes of their tasks. Every replica does the
 * same at the same news: each step is fenced by the attempt, so that the second one changes nothing.
 */
export class Reactions {
  /** @param recall tells an agent that a task which was brought to it is called off */
  constructor(
    private readonly storage: Storage,
    private readonly retrier: Retrier,
    private readonly recall: (task: TaskRecord) => void,
  ) {}

  /**
   * A LEASED task's agent seems to be gone, lost, finished, or another incarnation by now. What is known here of the agent may be
   * older than what is known of the task, so the storage is asked.
   */
  onAbandoned(task: TaskView): void {
    this.retrier.soon(async () => {
      const { namespace, agentId, agentIncarnation } = task;
      const agent = await this.storage.getAgent({ namespace, agentId });
      const isWithIt = agent?.record.incarnation === agentIncarnation && agent.state.liveness !== Liveness.LOST;
      if (isWithIt && !isTerminal(agent.state.state)) return;
      await this.fail(task, TaskFailure.AGENT_LOST, `agent ${agentId} is gone`);
    });
  }

  /** A task that an agent had was taken from it, or ended: the agent has room again. */
  onReleased(task: TaskRecord): void {
    this.retrier.soon(async () => {
      await this.storage.releaseSlot(task);
      if (task.status === TaskStatus.CANCELLED && isPushed(task.delivery)) this.recall(task);
    });
  }

  /**
   * A task was leased, or was LEASED when its namespace was read. The log of its agent's partition may have been read further than
   * that of its own: the agent's answer may be there already.
   */
  onLeased(task: TaskView, agent: AgentView | undefined): void {
    if (!isPushed(task.delivery) || agent === undefined || agent.revision <= task.agentRevision) return;
    this.retrier.soon(() => this.readBack(task));
  }

  /** An agent that has tasks made a transition. */
  onReport({ state, previous }: AgentChange, tasks: readonly TaskView[]): void {
    this.takeReport(state, previous, tasks);
  }

  private async readBack(task: TaskView): Promise<void> {
    const { namespace, agentId } = task;
    let afterRevision = task.agentRevision;
    for (;;) {
      const page = await this.storage.readHistory({ namespace, agentId, afterRevision, limit: HISTORY_PAGE });
      if (page === undefined) return;
      let previous = page.before;
      for (const report of page.entries) {
        if (report.cause === AgentChangeType.TRANSITION) this.takeReport(report, previous, [task]);
        previous = report;
      }
      if (!page.more || previous === undefined) return;
      afterRevision = previous.revision;
    }
  }

  private takeReport(report: StateRecord, previous: StateRecord | undefined, tasks: readonly TaskView[]): void {
    const pushed = tasks.filter(({ delivery }) => isPushed(delivery));
    const answer = readReport(report, previous, pushed);
    if (answer === undefined) return;
    const { namespace, sessionId, taskId, attempt, delivery, timeoutMs } = answer.task;
    const key = { namespace, sessionId, taskId, attempt };
    this.retrier.soon(async () => {
      switch (answer.kind) {
        case "started":
          await this.storage.renewTask({ ...key, leaseMs: taskLeaseMs(delivery, timeoutMs) });
          break;
        case "completed":
          await this.storage.completeTask({ ...key, result: answer.result });
          break;
        case "failed":
          await this.fail(answer.task, answer.reason, answer.error);
          break;
      }
    });
  }

  private async fail(task: TaskView, reason: string, error: string): Promise<void> {
    const { namespace, sessionId, taskId, attempt } = task;
    const key = { namespace, sessionId, taskId, attempt };
    await this.storage.failTask({ ...key, reason, error, permanent: false, jitter: Math.random() });
  }
}
