/** Commands with everything in them that a test does not care about. */
import { State, TaskDelivery, type AgentProfile } from "../../src/storage/records.js";
import type {
  ListAgents,
  ListSessions,
  RegisterAgent,
  SetState,
  StartSession,
  UpdateSession,
} from "../../src/storage/storage.js";
import { EVERYTHING } from "../../src/lib/selector.js";

export const NAMESPACE = "default";
export const ACTOR = "tester";

export function aProfile(profile: Partial<AgentProfile> = {}): AgentProfile {
  return {
    displayName: "",
    version: "",
    capabilities: [],
    contactEndpoint: "",
    labels: {},
    metadata: undefined,
    leaseTtlMs: 0,
    maxConcurrentTasks: 1,
    taskDelivery: TaskDelivery.AUTO,
    ...profile,
  };
}

/** A registration as `aRegistration` takes it: the profile's fields stand beside those of the command. */
type Registration = Partial<Omit<RegisterAgent, "profile">> & Partial<AgentProfile>;

export function aRegistration(agentId: string, registration: Registration = {}): RegisterAgent {
  const { namespace, initialState, keepState, requestId, actor, ...profile } = registration;
  return {
    namespace: namespace ?? NAMESPACE,
    agentId,
    profile: aProfile(profile),
    initialState: initialState ?? State.UNKNOWN,
    keepState: keepState ?? false,
    requestId: requestId ?? "",
    actor: actor ?? ACTOR,
  };
}

export function aReport(agentId: string, state: State, report: Partial<SetState> = {}): SetState {
  return {
    namespace: NAMESPACE,
    agentId,
    state,
    reason: "",
    message: "",
    details: undefined,
    sessionId: "",
    taskId: "",
    incarnation: 0,
    sequence: 0,
    reportTime: undefined,
    discardIfOlder: false,
    expectedStates: [],
    expectedRevision: 0,
    holdMs: 0,
    requestId: "",
    actor: ACTOR,
    ...report,
  };
}

export function aSession(sessionId: string, agentId: string, session: Partial<StartSession> = {}): StartSession {
  return {
    namespace: NAMESPACE,
    sessionId,
    agentId,
    workflowId: "",
    metadata: undefined,
    tasks: [],
    requestId: "",
    actor: ACTOR,
    ...session,
  };
}

export function aSessionUpdate(
  sessionId: string,
  patch: UpdateSession["patch"],
  update: Partial<UpdateSession> = {},
): UpdateSession {
  return { namespace: NAMESPACE, sessionId, patch, expectedRevision: 0, requestId: "", actor: ACTOR, ...update };
}

export function anAgentQuery(query: Partial<ListAgents> = {}): ListAgents {
  return {
    namespace: NAMESPACE,
    selector: EVERYTHING,
    capabilities: [],
    states: [],
    liveness: [],
    limit: 50,
    cursor: undefined,
    ...query,
  };
}

export function aSessionQuery(query: Partial<ListSessions> = {}): ListSessions {
  return { namespace: NAMESPACE, agentId: "", workflowId: "", statuses: [], limit: 50, cursor: undefined, ...query };
}
