import type { CallMetrics } from "../../interceptors/index.js";
import type { TaskRunner } from "../task-runner.js";
import type { LeaseSweeper } from "../../services/lease-sweeper.js";
import type { WebhookDeliveries } from "../../services/webhooks/deliveries.js";
import type { Storage } from "../../storage/storage.js";
import type { Readiness } from "../../transport/standard/readiness.js";
import type { WatchStats } from "../../watch/stats.js";
import type { StorageStatus } from "../storage-status.js";

/** Where the figures come from. All of them are there already; nothing is counted twice. */
export interface MetricSources {
  readonly version: string;
  readonly calls: CallMetrics;
  readonly watch: WatchStats;
  readonly sweeper: Pick<LeaseSweeper, "suspected" | "lost" | "braked">;
  readonly tasks: Pick<TaskRunner, "expired">;
  readonly webhooks: Pick<WebhookDeliveries, "stats" | "progress" | "unreadable">;
  readonly readiness: Pick<Readiness, "isReady">;
  readonly storage: Pick<Storage, "heldReports">;
  /** Undefined without Redis: its metrics are then left out. */
  readonly status: StorageStatus | undefined;
  /** How many connections are open. */
  readonly connections: () => number;
}
