/** Records as they come out of Redis. The encodings are described where they are made: `lua/includes/agent.lua`, `session.lua`; those of tasks in `decode-tasks.ts`. */
import {
  AgentChangeType,
  Liveness,
  SessionChangeType,
  SessionStatus,
  State,
  TaskDelivery,
  type Agent,
  type AgentProfile,
  type AgentScope,
  type Change,
  type SessionRecord,
  type StateRecord,
} from "../records.js";
import { agentSize, sessionSize } from "../sizes.js";
import { Cells, ENCODING } from "./cells.js";
import { toTaskChange } from "./decode-tasks.js";
import { CorruptRecordError } from "./failures.js";

const STATES: ReadonlySet<State> = new Set(Object.values(State));
const LIVENESSES: ReadonlySet<Liveness> = new Set(Object.values(Liveness));
const AGENT_CHANGES: ReadonlySet<AgentChangeType> = new Set(Object.values(AgentChangeType));
const STATUSES: ReadonlySet<SessionStatus> = new Set(Object.values(SessionStatus));
const DELIVERIES: ReadonlySet<TaskDelivery> = new Set(Object.values(TaskDelivery));
const SESSION_CHANGES: ReadonlySet<SessionChangeType> = new Set(Object.values(SessionChangeType));

const AGENT_ENTRY = 1;
const SESSION_ENTRY = 2;
const TASK_ENTRY = 3;
/** Stands for the state before a commit that left the state alone. */
const UNCHANGED = 0;

/** What a record does not say itself, because its key says it. */
export interface Identity {
  readonly namespace: string;
  readonly id: string;
  readonly key: string;
}

export function decodeState(text: string, { id, key }: Identity): StateRecord {
  return toState(Cells.parse(text, key), id);
}

/** An agent as scripts answer it: state, record, capabilities, labels, lease and its end. */
export function decodeAgent(text: string, identity: Identity): Agent {
  // The list has no version of its own; the records in it have.
  const cells = Cells.parse(`[${ENCODING},${text.slice(1)}`, identity.key);
  const state = toState(cells.record(), identity.id);
  const record = cells.record();
  return toAgent(cells, identity, state, record, toScope(cells));
}

/** What a registration answers: whether the agent is new, and the agent. */
export function decodeRegistered(text: string, identity: Identity): { agent: Agent; created: boolean } {
  return { created: text.startsWith("[1,"), agent: decodeAgent(text.slice(3, -1), identity) };
}

export function decodeSession(text: string, identity: Identity): SessionRecord {
  return toSession(Cells.parse(text, identity.key), identity);
}

/** One entry of the log. */
export function decodeChange(text: string, partition: number, revision: number, key: string): Change {
  const cells = Cells.parse(text, key);
  const kind = cells.number();
  if (kind === AGENT_ENTRY) return toAgentChange(cells, partition, revision, key);
  if (kind === SESSION_ENTRY) return toSessionChange(cells, partition, revision, key);
  if (kind === TASK_ENTRY) return toTaskChange(cells, partition, revision);
  throw new CorruptRecordError(key, `an entry of kind ${kind}`);
}

function toAgentChange(cells: Cells, partition: number, revision: number, key: string): Change {
  const type = cells.member(AGENT_CHANGES);
  const namespace = cells.text();
  const id = cells.text();
  const state = toState(cells.record(), id);
  const previous = cells.skip(UNCHANGED) ? state : cells.skip(null) ? undefined : toState(cells.record(), id);
  const scope = toScope(cells);
  const previousScope = cells.skip(null) && cells.skip(null) ? undefined : toScope(cells);
  const agent = cells.skip(null) ? undefined : toAgent(cells, { namespace, id, key }, state, cells.record(), scope);
  return { kind: "agent", namespace, partition, revision, type, state, previous, scope, previousScope, agent };
}

function toSessionChange(cells: Cells, partition: number, revision: number, key: string): Change {
  const type = cells.member(SESSION_CHANGES);
  const namespace = cells.text();
  const id = cells.text();
  const session = toSession(cells.record(), { namespace, id, key });
  const previousStatus = cells.skip(null) ? undefined : cells.member(STATUSES);
  return { kind: "session", namespace, partition, revision, type, session, previousStatus };
}

/** Cells are read in the order in which scripts write them. */
function toState(cells: Cells, agentId: string): StateRecord {
  const revision = cells.number();
  const commitTime = cells.number();
  const cause = cells.member(AGENT_CHANGES);
  const liveness = cells.member(LIVENESSES);
  const incarnation = cells.number();
  const sequence = cells.number();
  const reportTime = cells.optionalNumber();
  const size = cells.number();
  // How long the content is: scripts want to know.
  cells.number();
  const state = cells.member(STATES);
  const reason = cells.text();
  const message = cells.text();
  const sessionId = cells.text();
  const taskId = cells.text();
  const details = cells.data();
  const actor = cells.text();
  return {
    state,
    reason,
    message,
    details,
    sessionId,
    taskId,
    agentId,
    liveness,
    incarnation,
    sequence,
    reportTime,
    commitTime,
    revision,
    actor,
    cause,
    size,
  };
}

function toScope(cells: Cells): AgentScope {
  return { capabilities: cells.texts(), labels: cells.textMap() };
}

/** @param cells stand at the length of the lease, which its end follows */
function toAgent(
  cells: Cells,
  { namespace, id: agentId }: Identity,
  state: StateRecord,
  record: Cells,
  { capabilities, labels }: AgentScope,
): Agent {
  const revision = record.number();
  const incarnation = record.number();
  const registerTime = record.number();
  const updateTime = record.number();
  record.numbers();
  const profile: AgentProfile = {
    displayName: record.text(),
    version: record.text(),
    contactEndpoint: record.text(),
    metadata: record.data(),
    maxConcurrentTasks: record.number(),
    taskDelivery: record.member(DELIVERIES),
    capabilities,
    labels,
    leaseTtlMs: cells.number(),
  };
  const size = agentSize(agentId, profile);
  return {
    record: { namespace, agentId, ...profile, incarnation, registerTime, updateTime, revision, size },
    state,
    leaseExpireTime: cells.optionalNumber(),
  };
}

function toSession(cells: Cells, { namespace, id: sessionId }: Identity): SessionRecord {
  const revision = cells.number();
  const status = cells.member(STATUSES);
  const startTime = cells.number();
  const updateTime = cells.number();
  const endTime = cells.optionalNumber();
  // Its place in lists, and the lengths of what follows.
  cells.number();
  cells.numbers();
  const agentId = cells.text();
  const workflowId = cells.text();
  const metadata = cells.data();
  const result = cells.data();
  const error = cells.text();
  const fields = {
    namespace,
    sessionId,
    agentId,
    workflowId,
    status,
    metadata,
    result,
    error,
    startTime,
    updateTime,
    endTime,
    revision,
  };
  return { ...fields, size: sessionSize(fields) };
}
