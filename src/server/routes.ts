import { Health } from "../../gen/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { TaskService } from "../../gen/opscore/v1/task_service_pb.js";
import { WebhookService } from "../../gen/opscore/v1/webhook_service_pb.js";
import { WorkflowService } from "../../gen/opscore/v1/workflow_service_pb.js";
import type { Config } from "../config/index.js";
import { dashboardRoutes } from "../dashboard/routes.js";
import { SignatureCheck } from "../interceptors/index.js";
import type { Clock } from "../lib/clock.js";
import type { Services } from "../services/index.js";
import type { Storage } from "../storage/storage.js";
import { serverRoutes, type HttpRoute, type MetricsPage } from "../transport/http/routes.js";
import { v1Routes } from "../transport/http/v1/routes.js";
import { RouteTable } from "../transport/routes.js";
import { createHealthService } from "../transport/standard/health.js";
import type { Readiness } from "../transport/standard/readiness.js";
import { createReflection } from "../transport/standard/reflection.js";

/** Every service that the port serves, the standard ones included. */
export function createRoutes(
  { agents, states, sessions, workflows, tasks, webhooks }: Services,
  readiness: Readiness,
): RouteTable {
  const routes = new RouteTable()
    .service(AgentService, agents)
    .service(StateService, states)
    .service(SessionService, sessions)
    .service(WorkflowService, workflows)
    .service(TaskService, tasks)
    .service(WebhookService, webhooks);
  const own = routes.services.slice();
  const reflection = createReflection(() => routes.services, readiness);
  return routes
    .service(Health, createHealthService(own, readiness))
    .service(ServerReflection, reflection)
    .service(ServerReflectionAlpha, reflection);
}

export interface HttpRouteParts {
  readonly config: Pick<Config, "webhookSecret" | "webhookInsecure" | "dashboard">;
  readonly services: Services;
  readonly readiness: Readiness;
  readonly metrics: MetricsPage;
  readonly storage: Pick<Storage, "claim">;
  readonly clock: Clock;
}

/** Every plain HTTP route that the port serves. */
export function createHttpRoutes({
  config,
  services,
  readiness,
  metrics,
  storage,
  clock,
}: HttpRouteParts): HttpRoute[] {
  const { webhookSecret: secret, webhookInsecure, dashboard } = config;
  const signatures =
    secret === undefined ? undefined : new SignatureCheck({ secret, clock, claim: (key) => storage.claim(key) });
  return [
    ...serverRoutes(readiness, metrics),
    ...(dashboard ? dashboardRoutes() : []),
    ...v1Routes({ services, clock, signatures, openNotifications: webhookInsecure }),
  ];
}
