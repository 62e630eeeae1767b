/**
 * The HTTP API, version 1: what AgentKit, its agents and older clients speak. One table; docs/http.md describes each route.
 */
import { AgentService } from "../../../../gen/opscore/v1/agent_service_pb.js";
import { StateService } from "../../../../gen/opscore/v1/state_service_pb.js";
import { WorkflowService } from "../../../../gen/opscore/v1/workflow_service_pb.js";
import type { SignatureCheck } from "../../../interceptors/index.js";
import type { Clock } from "../../../lib/clock.js";
import { DEFAULT_NAMESPACE, type Caller } from "../../../services/caller.js";
import type { Services } from "../../../services/index.js";
import type { CallRoute } from "../routes.js";
import { NOTIFICATION_PLACES, Notifications } from "./notifications.js";
import { REPORT_PLACES, StateRoutes } from "./states.js";
import { TRIGGER_PLACES, WorkflowRoutes } from "./workflows.js";

export interface V1Parts {
  readonly services: Services;
  readonly clock: Clock;
  /** Checks the signatures of notifications; undefined when they are not signed. */
  readonly signatures: SignatureCheck | undefined;
  /** Whether notifications that are not signed need no key. */
  readonly openNotifications: boolean;
}

const GET = ["GET"] as const;
const POST = ["POST"] as const;

export function v1Routes({ services, clock, signatures, openNotifications }: V1Parts): readonly CallRoute[] {
  const states = new StateRoutes(services, clock);
  const workflows = new WorkflowRoutes(services);
  const notifications = new Notifications(services, signatures);
  return [
    {
      kind: "call",
      verbs: POST,
      path: "/v1/opscore/agent/{}/state",
      rpc: StateService.method.setState,
      places: REPORT_PLACES,
      authenticate: undefined,
      notFound: ({ params: [agentId] }) => `Agent not found: ${agentId}`,
      handle: (call, body) => states.report(call, body),
    },
    {
      kind: "call",
      verbs: GET,
      path: "/v1/opscore/agent/{}/state",
      rpc: StateService.method.getState,
      places: {},
      authenticate: undefined,
      notFound: ({ params: [agentId] }) => `No state found for agent ${agentId}`,
      handle: (call) => states.read(call),
    },
    {
      kind: "call",
      verbs: POST,
      path: "/v1/opscore/agent/{}/workflow",
      rpc: WorkflowService.method.triggerWorkflow,
      places: TRIGGER_PLACES,
      authenticate: undefined,
      notFound: ({ params: [agentId] }, { reason, metadata }) =>
        reason === "WORKFLOW_NOT_FOUND"
          ? `Workflow definition not found: ${metadata["workflow_id"]}`
          : `Agent not found: ${agentId}`,
      handle: (call, body) => workflows.trigger(call, body),
    },
    {
      kind: "call",
      verbs: POST,
      path: "/v1/opscore/internal/agent/notify",
      rpc: AgentService.method.registerAgent,
      places: NOTIFICATION_PLACES,
      authenticate: signatures === undefined ? unsigned(openNotifications) : signatures.authenticate.bind(signatures),
      notFound: () => undefined,
      handle: (call, body) => notifications.take(call, body),
    },
  ];
}

/** Who sends a notification that nothing proves. */
function unsigned(isOpen: boolean): (() => Caller) | undefined {
  const anybody: Caller = { namespace: DEFAULT_NAMESPACE, actor: "anonymous" };
  return isOpen ? () => anybody : undefined;
}
