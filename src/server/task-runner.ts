import type { Logger } from "pino";
import type { Config } from "../config/index.js";
import type { Clock } from "../lib/clock.js";
import { AgentKitCourier } from "../services/workflows/dispatch/agentkit.js";
import { Dispatcher } from "../services/workflows/dispatch/dispatcher.js";
import { EndpointCourier } from "../services/workflows/dispatch/endpoint.js";
import { Scheduler } from "../services/workflows/scheduler/scheduler.js";
import { TaskSweeper } from "../services/workflows/task-sweeper.js";
import type { TaskRecord } from "../storage/records.js";
import type { Storage } from "../storage/storage.js";

/** What runs tasks: who decides which agent gets which, who brings them there, and who takes them back when their time is over. */
export class TaskRunner {
  private readonly dispatcher: Dispatcher;
  private readonly scheduler: Scheduler;
  private readonly sweeper: TaskSweeper;

  constructor(
    storage: Storage,
    { config, clock, logger }: { readonly config: Config; readonly clock: Clock; readonly logger: Logger },
  ) {
    const dispatcher = new Dispatcher(storage, {
      endpoint: new EndpointCourier({
        secret: config.outboundSecret ?? "",
        allowInside: config.outboundAllowPrivate,
        now: () => clock.now(),
      }),
      agentKit: new AgentKitCourier(config.agentKitUrl ?? ""),
      onFailure: (thrown) => logger.error({ err: thrown }, "a task could not be brought to its agent"),
      onUndelivered: (task, delivery) => logger.warn({ ...named(task), delivery }, "a task was not taken"),
    });
    this.dispatcher = dispatcher;
    this.scheduler = new Scheduler(storage, {
      clock,
      deliver: (task) => dispatcher.deliver(task),
      recall: (task) => dispatcher.recall(task),
      onFailure: (thrown) => logger.error({ err: thrown }, "tasks cannot be scheduled"),
    });
    this.sweeper = new TaskSweeper(storage, {
      clock,
      intervalMs: config.leaseSweepIntervalMs,
      onExpired: (count) => logger.info({ count }, "attempts at tasks ran out"),
      onFailure: (thrown) => logger.error({ err: thrown }, "attempts at tasks cannot be swept"),
      onRecovery: () => logger.info("attempts at tasks are swept again"),
    });
  }

  /** How many attempts this replica ended because their time was over. */
  get expired(): number {
    return this.sweeper.expired;
  }

  async start(): Promise<void> {
    await this.scheduler.start();
    this.sweeper.start();
  }

  /** Leases and brings nothing more. Attempts under way are their agents'. */
  async stop(): Promise<void> {
    this.sweeper.stop();
    this.dispatcher.stop();
    await this.scheduler.stop();
  }
}

function named({ namespace, sessionId, taskId, attempt, agentId }: TaskRecord) {
  return { namespace, sessionId, taskId, attempt, agentId };
}
