import type { ServiceImpl } from "@connectrpc/connect";
import type {
  AgentService,
  ConfirmExpiryResponse,
  DeregisterAgentResponse,
  GetAgentResponse,
  HeartbeatResponse,
  ListAgentsRequest,
  ListAgentsResponse,
  RegisterAgentResponse,
  UpdateAgentRequest,
  UpdateAgentResponse,
} from "../../gen/opscore/v1/agent_service_pb.js";
import { agentNotFound, invalidFields } from "../errors/index.js";
import { chain } from "../lib/awaitable.js";
import { State } from "../storage/records.js";
import type { DeregisterAgent, ListAgents, RegisterAgent, RenewLease, UpdateAgent } from "../storage/storage.js";
import { callerKey, type Caller } from "./caller.js";
import type { ServiceDependencies } from "./dependencies.js";
import type { Limits } from "./limits.js";
import { pageToken, readPageToken, type Query } from "./paging.js";
import { PROFILE_FIELDS, readProfile } from "./profile.js";
import {
  capabilities,
  count,
  id,
  livenesses,
  optionalId,
  pageSize,
  patch,
  requestId,
  selector,
  stateOr,
  states,
  Violations,
} from "./validation/index.js";
import { toAgent, toLease } from "./wire/index.js";

/** AgentService: which agents exist. See the proto file for what each method promises. */
export function createAgentService({ storage, limits, makeId }: ServiceDependencies): ServiceImpl<typeof AgentService> {
  return {
    registerAgent(request, ctx) {
      const { namespace, actor } = ctx.values.get(callerKey);
      const bad = new Violations();
      const request_id = requestId(bad, "request_id", request.requestId);
      const command: RegisterAgent = {
        namespace,
        actor,
        agentId: optionalId(bad, "agent_id", request.agentId) || makeId("agent", namespace, request_id),
        profile: readProfile(bad, request, limits),
        initialState: stateOr(State.UNKNOWN, bad, "initial_state", request.initialState),
        keepState: request.keepState,
        requestId: request_id,
      };
      bad.throwIfAny();
      return chain(storage.registerAgent(command), ({ agent, created }): RegisterAgentResponse => ({
        $typeName: "opscore.v1.RegisterAgentResponse",
        agent: toAgent(agent),
        created,
      }));
    },

    deregisterAgent(request, ctx) {
      const { namespace, actor } = ctx.values.get(callerKey);
      const bad = new Violations();
      const command: DeregisterAgent = {
        namespace,
        actor,
        agentId: id(bad, "agent_id", request.agentId),
        incarnation: count(bad, "incarnation", request.incarnation),
      };
      bad.throwIfAny();
      return chain(storage.deregisterAgent(command), (agent): DeregisterAgentResponse => ({
        $typeName: "opscore.v1.DeregisterAgentResponse",
        agent: toAgent(agent),
      }));
    },

    getAgent(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const agentId = id(bad, "agent_id", request.agentId);
      bad.throwIfAny();
      return chain(storage.getAgent({ namespace, agentId }), (agent): GetAgentResponse => {
        if (agent === undefined) throw agentNotFound(agentId);
        return { $typeName: "opscore.v1.GetAgentResponse", agent: toAgent(agent) };
      });
    },

    listAgents(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const { query, fingerprinted } = readListing(request, namespace, limits);
      return chain(storage.listAgents(query), ({ items, next }): ListAgentsResponse => ({
        $typeName: "opscore.v1.ListAgentsResponse",
        agents: items.map(toAgent),
        nextPageToken: pageToken(fingerprinted, next),
      }));
    },

    updateAgent(request, ctx) {
      return chain(
        storage.updateAgent(readUpdate(request, ctx.values.get(callerKey), limits)),
        (agent): UpdateAgentResponse => ({ $typeName: "opscore.v1.UpdateAgentResponse", agent: toAgent(agent) }),
      );
    },

    heartbeat(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const command: RenewLease = {
        namespace,
        agentId: id(bad, "agent_id", request.agentId),
        incarnation: count(bad, "incarnation", request.incarnation),
      };
      bad.throwIfAny();
      return chain(storage.renewLease(command), (lease): HeartbeatResponse => ({
        $typeName: "opscore.v1.HeartbeatResponse",
        lease: toLease(lease),
      }));
    },

    confirmExpiry(_request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      return chain(storage.confirmExpiry(namespace), (lostCount): ConfirmExpiryResponse => ({
        $typeName: "opscore.v1.ConfirmExpiryResponse",
        lostCount,
      }));
    },
  };
}

function readListing(
  request: ListAgentsRequest,
  namespace: string,
  limits: Limits,
): { readonly query: ListAgents; readonly fingerprinted: Query } {
  const bad = new Violations();
  const filter = {
    selector: selector(bad, "label_selector", request.labelSelector),
    capabilities: capabilities(bad, "capabilities", request.capabilities, limits.capabilities),
    states: states(bad, "states", request.states),
    liveness: livenesses(bad, "liveness", request.liveness),
  };
  const limit = pageSize(bad, "page_size", request.pageSize, limits);
  bad.throwIfAny();
  const fingerprinted: Query = [
    "ListAgents",
    namespace,
    filter.selector.canonical,
    filter.capabilities,
    [...filter.states].sort(),
    [...filter.liveness].sort(),
  ];
  const cursor = readPageToken(fingerprinted, request.pageToken);
  return { query: { namespace, ...filter, limit, cursor }, fingerprinted };
}

function readUpdate(request: UpdateAgentRequest, { namespace, actor }: Caller, limits: Limits): UpdateAgent {
  if (request.agent === undefined) throw invalidFields([{ field: "agent", description: "must be set" }]);
  const bad = new Violations();
  const command: UpdateAgent = {
    namespace,
    actor,
    agentId: id(bad, "agent.agent_id", request.agent.agentId),
    patch: patch(bad, "agent.", PROFILE_FIELDS, request.agent, request.updateMask, limits),
    expectedRevision: count(bad, "expected_revision", request.expectedRevision),
    requestId: requestId(bad, "request_id", request.requestId),
  };
  bad.throwIfAny();
  return command;
}
