/** Servers that fail as they are told. */
import type { ConnectError } from "@connectrpc/connect";
import { createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { AgentService } from "../../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../../gen/opscore/v1/state_service_pb.js";
import { TaskService } from "../../../gen/opscore/v1/task_service_pb.js";
import { WorkflowService } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { createOpsCoreClient, type OpsCoreClient, type OpsCoreClientOptions } from "../../../src/client/index.js";
import { HastyScheduler } from "./fake-scheduler.js";

/** The handlers of a server; what it has none for is unimplemented. */
export interface Routes {
  readonly agents?: Partial<ServiceImpl<typeof AgentService>>;
  readonly states?: Partial<ServiceImpl<typeof StateService>>;
  readonly sessions?: Partial<ServiceImpl<typeof SessionService>>;
  readonly workflows?: Partial<ServiceImpl<typeof WorkflowService>>;
  readonly tasks?: Partial<ServiceImpl<typeof TaskService>>;
}

/** A client whose calls are answered by `routes`, and whose waits take no time. */
export function clientOf(routes: Routes, options: Partial<OpsCoreClientOptions> = {}): OpsCoreClient {
  const transport = createRouterTransport((router) => {
    router.service(AgentService, routes.agents ?? {});
    router.service(StateService, routes.states ?? {});
    router.service(SessionService, routes.sessions ?? {});
    router.service(WorkflowService, routes.workflows ?? {});
    router.service(TaskService, routes.tasks ?? {});
  });
  return createOpsCoreClient({ baseUrl: "http://unused", transport, scheduler: new HastyScheduler(), ...options });
}

/** A handler that fails as often as it is given failures, then answers. */
export function failing<Request>(failures: readonly ConnectError[], seen: Request[] = []) {
  return (request: Request) => {
    const next = failures[seen.length];
    seen.push(request);
    if (next !== undefined) throw next;
    return {};
  };
}
