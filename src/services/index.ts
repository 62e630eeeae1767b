import type { ServiceImpl } from "@connectrpc/connect";
import type { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import type { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import type { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import type { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import type { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import type { WebhookService } from "../../gen/opscore/v1/webhook_service_pb.js";
import type { Clock } from "../lib/clock.js";
import type { Storage } from "../storage/storage.js";
import type { WatchHub } from "../watch/hub.js";
import { createAgentService } from "./agents.js";
import { createMakeId } from "./ids.js";
import type { Limits } from "./limits.js";
import type { ReportStream } from "./report-stream.js";
import { createSessionService } from "./sessions.js";
import { createStateService } from "./states.js";
import { createWatchHandlers } from "./watches.js";
import { createTaskService } from "./workflows/tasks.js";
import { createWebhookService } from "./webhooks/webhooks.js";
import { createWorkflowService } from "./workflows/workflows.js";

export { DEFAULT_LIMITS, type Limits } from "./limits.js";

export interface ServicesOptions {
  readonly storage: Storage;
  /** Follows the log of the same storage. */
  readonly hub: WatchHub;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Told of every failure that is not an OpsCoreError and that a service answers itself, inside a stream. */
  readonly onDefect: (errorId: string, thrown: unknown) => void;
}

/** The implementations that every lane serves, in the form that Connect defines. */
export interface Services {
  readonly agents: ServiceImpl<typeof AgentService>;
  readonly states: ServiceImpl<typeof StateService>;
  readonly sessions: ServiceImpl<typeof SessionService>;
  readonly workflows: ServiceImpl<typeof WorkflowService>;
  readonly tasks: ServiceImpl<typeof TaskService>;
  readonly webhooks: ServiceImpl<typeof WebhookService>;
  /** Ends open ReportStates streams: what was read is answered, then SERVER_STOPPING. Watches and waits end with the hub. */
  stopReports(): void;
}

/**
 * Composes the services. Methods take and return generated messages, read the caller from the context (`callerKey`), answer
 * synchronously when the storage does, and throw nothing but OpsCoreError on purpose.
 */
export function createServices({ storage, hub, clock, limits, onDefect }: ServicesOptions): Services {
  const dependencies = { storage, limits, makeId: createMakeId(clock), onDefect };
  const watch = createWatchHandlers({ storage, hub, limits });
  const openReports = new Set<ReportStream>();
  return {
    agents: createAgentService(dependencies),
    states: {
      ...createStateService(dependencies, openReports),
      watchState: (request, context) => watch.watchState(request, context),
      waitForState: (request, context) => watch.waitForState(request, context),
    },
    sessions: {
      ...createSessionService(dependencies),
      watchSessions: (request, context) => watch.watchSessions(request, context),
    },
    workflows: createWorkflowService(dependencies),
    webhooks: createWebhookService({
      ...dependencies,
      clock,
      watchState: (request, ctx) => watch.watchState(request, ctx),
    }),
    tasks: {
      ...createTaskService(dependencies),
      watchTasks: (request, context) => watch.watchTasks(request, context),
    },
    stopReports: () => openReports.forEach((stream) => stream.stop()),
  };
}
