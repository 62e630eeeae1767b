/** What AgentKit tells of agents: that one has come, or gone. */
import { AgentService, type RegisterAgentRequest } from "../../../../gen/opscore/v1/agent_service_pb.js";
import { State, TaskDelivery } from "../../../../gen/opscore/v1/common_pb.js";
import { OpsCoreError } from "../../../errors/index.js";
import type { SignatureCheck } from "../../../interceptors/index.js";
import { chain, type Awaitable } from "../../../lib/awaitable.js";
import type { Services } from "../../../services/index.js";
import { toStruct } from "../../../services/wire/index.js";
import type { HttpCall } from "../call.js";
import { Faults, Fields, type Loc } from "../faults.js";
import { readJsonObject } from "../json-body.js";
import { badRequest } from "../refusal.js";
import { answer, type HttpAnswer } from "../routes.js";

const DETAILS = ["body", "agent_details"] as const;

/** Where the fields of a RegisterAgentRequest stand in the body. */
export const NOTIFICATION_PLACES: Readonly<Record<string, Loc>> = {
  agent_id: [...DETAILS, "agentId"],
  display_name: [...DETAILS, "agentName"],
  version: [...DETAILS, "version"],
  capabilities: [...DETAILS, "capabilities"],
  contact_endpoint: [...DETAILS, "contactEndpoint"],
  metadata: [...DETAILS, "metadata"],
};

export class Notifications {
  constructor(
    private readonly services: Pick<Services, "agents">,
    private readonly signatures: SignatureCheck | undefined,
  ) {}

  /**
   * Takes a notification.
   *
   * @throws Refusal; CREDENTIALS_INVALID when its signature was used before; what RegisterAgent and DeregisterAgent throw
   */
  take(call: HttpCall, body: Buffer): Awaitable<HttpAnswer> {
    const { eventType, request } = readNotification(call, body);
    const event = eventType.toUpperCase();
    if (event !== "REGISTER" && event !== "DEREGISTER") throw badRequest(`Unknown event type: ${eventType}`);
    if (request.agentId === "") throw badRequest("Agent ID must not be empty");
    if (event === "DEREGISTER") call.method = AgentService.method.deregisterAgent;
    call.calls(request);
    const perform = (): Awaitable<HttpAnswer> =>
      event === "REGISTER" ? this.register(call, request) : this.deregister(call, request.agentId);
    return this.signatures === undefined ? perform() : chain(this.signatures.takeOnce(call), perform);
  }

  /** `keep_state` leaves alone what only the agent itself can tell. */
  private register(call: HttpCall, request: RegisterAgentRequest): Awaitable<HttpAnswer> {
    return chain(this.services.agents.registerAgent(request, call), () =>
      success(`Agent ${request.agentId} registered successfully.`),
    );
  }

  /** Whoever wants an agent gone that is not there has what it wants. */
  private async deregister(call: HttpCall, agentId: string): Promise<HttpAnswer> {
    try {
      const request = { $typeName: "opscore.v1.DeregisterAgentRequest" as const, agentId, incarnation: 0n };
      await this.services.agents.deregisterAgent(request, call);
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown;
    }
    return success(`Agent ${agentId} deregistered successfully.`);
  }
}

function isNotFound(thrown: unknown): boolean {
  return thrown instanceof OpsCoreError && thrown.reason === "AGENT_NOT_FOUND";
}

function success(message: string): HttpAnswer {
  return answer(200, { status: "success", message });
}

function readNotification(
  call: HttpCall,
  body: Buffer,
): { readonly eventType: string; readonly request: RegisterAgentRequest } {
  const faults = new Faults();
  const fields = new Fields(faults, readJsonObject(body, call.get("content-type") ?? undefined), ["body"]);
  const eventType = fields.text("event_type");
  const details = fields.fields("agent_details");
  const request: RegisterAgentRequest = {
    $typeName: "opscore.v1.RegisterAgentRequest",
    agentId: details.text("agentId"),
    displayName: details.text("agentName"),
    version: details.text("version"),
    // An empty one says nothing.
    capabilities: details.texts("capabilities").filter((capability) => capability !== ""),
    contactEndpoint: details.url("contactEndpoint"),
    labels: {},
    metadata: toStruct(details.optionalObject("metadata")),
    maxConcurrentTasks: 0,
    taskDelivery: TaskDelivery.AGENTKIT,
    initialState: State.UNSPECIFIED,
    keepState: true,
    requestId: "",
  };
  faults.throwIfAny();
  return { eventType, request };
}
