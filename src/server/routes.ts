import { Health } from "../../gen/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import type { Services } from "../services/index.js";
import { RouteTable } from "../transport/routes.js";
import { createHealthService } from "../transport/standard/health.js";
import type { Readiness } from "../transport/standard/readiness.js";
import { createReflection } from "../transport/standard/reflection.js";

/** Every service that the port serves, the standard ones included. */
export function createRoutes({ agents, states, sessions }: Services, readiness: Readiness): RouteTable {
  const routes = new RouteTable()
    .service(AgentService, agents)
    .service(StateService, states)
    .service(SessionService, sessions);
  const own = routes.services.slice();
  const reflection = createReflection(() => routes.services, readiness);
  return routes
    .service(Health, createHealthService(own, readiness))
    .service(ServerReflection, reflection)
    .service(ServerReflectionAlpha, reflection);
}
