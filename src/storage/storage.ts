/**
 * The storage contract; `log.ts` has the part that is read, `tasks.ts` the part that runs work, `documents.ts`
 * what is kept beside. `test/contract/storage.ts` is the
 * same contract as a test suite: a storage is finished when it passes.
 *
 * The log is the design. Every command is atomic: it changes one entity and appends its changes to the log of that entity's
 * partition, or does nothing and throws. Watches, waits, history and other replicas read the log and nothing else.
 *
 * Commands and reads answer at once where nothing needs to be awaited (see {@link Awaitable}); a failing one throws or rejects
 * with an `OpsCoreError`, so callers treat both alike. Callers pass valid input: ids, limits and sizes are checked above.
 */
import type { Awaitable } from "../lib/awaitable.js";
import type { JsonObject } from "../lib/json.js";
import type { Selector } from "../lib/selector.js";
import type {
  Agent,
  AgentProfile,
  Liveness,
  ReportContent,
  SessionRecord,
  SessionStatus,
  State,
  StateRecord,
  TaskPlan,
} from "./records.js";
import type { ChangeLog } from "./log.js";
import type { DocumentStorage } from "./documents.js";
import type { TaskStorage } from "./tasks.js";

export type * from "./documents.js";
export type * from "./log.js";
export type * from "./tasks.js";

/** For how long the answer to a `requestId` is remembered. */
export const REQUEST_MEMORY_MS = 10 * 60_000;

/** For how long it is remembered that a key was claimed. */
export const CLAIM_MEMORY_MS = 15 * 60_000;

/**
 * The mass-expiry brake: at least so many agents, and more than this share of all leases that still run, would be lost in one
 * sweep. Agents that are LOST or FINISHED or have no lease do not count: their leases do not run.
 */
export const BRAKE_MIN_AGENTS = 20;
export const BRAKE_SHARE = 0.5;

export interface AgentKey {
  readonly namespace: string;
  readonly agentId: string;
}

export interface SessionKey {
  readonly namespace: string;
  readonly sessionId: string;
}

/** Makes a command safe to repeat: the same key, command and `requestId` give the first success again. Empty: not asked for. */
interface Repeatable {
  readonly requestId: string;
}

interface Attributed {
  /** Who commits; kept on the record. */
  readonly actor: string;
}

export interface RegisterAgent extends AgentKey, Repeatable, Attributed {
  readonly profile: AgentProfile;
  readonly initialState: State;
  /**
   * Leave incarnation and state of a registered agent alone, and of its profile how it lives and works: lease, concurrent tasks and
   * delivery, and its labels unless there are some here; change only the rest.
   */
  readonly keepState: boolean;
}

export interface Registered {
  /** After the reports that were held for it. */
  readonly agent: Agent;
  readonly created: boolean;
}

export interface DeregisterAgent extends AgentKey, Attributed {
  /** Only this incarnation; 0: any. */
  readonly incarnation: number;
}

export interface UpdateAgent extends AgentKey, Repeatable, Attributed {
  readonly patch: Partial<AgentProfile>;
  /** Only if the agent record has this revision; 0: any. */
  readonly expectedRevision: number;
}

export interface RenewLease extends AgentKey {
  /** Only this incarnation; 0: any. */
  readonly incarnation: number;
}

export interface RenewedLease {
  /** 0 for an agent without a lease. */
  readonly leaseTtlMs: number;
  readonly remainingMs: number;
}

export interface SetState extends AgentKey, ReportContent, Repeatable, Attributed {
  /** 0: not checked. */
  readonly incarnation: number;
  /** 0: not checked. */
  readonly sequence: number;
  readonly reportTime: number | undefined;
  /**
   * Change nothing when this incarnation has made a report with a later `reportTime`, also one that changed nothing. A time that was
   * in the future counts as the moment at which its report was applied. Only with a `reportTime`.
   */
  readonly discardIfOlder: boolean;
  /** Empty: any. */
  readonly expectedStates: readonly State[];
  /** 0: any. */
  readonly expectedRevision: number;
  /** How long to hold the report while the agent is not registered; 0: fail at once. */
  readonly holdMs: number;
}

export interface ReportOutcome {
  readonly state: StateRecord;
  readonly changed: boolean;
}

export interface ListAgents {
  readonly namespace: string;
  readonly selector: Selector;
  /** All of these; empty: any. */
  readonly capabilities: readonly string[];
  /** One of these; empty: any. */
  readonly states: readonly State[];
  /** One of these; empty: any. */
  readonly liveness: readonly Liveness[];
  readonly limit: number;
  /** `next` of the page before; undefined: the first page. Opaque, and from outside: one that cannot be read throws INVALID_PAGE_TOKEN. */
  readonly cursor: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The next page's cursor; undefined when there is no more. A page may be short, even empty, and still have a next one. */
  readonly next: string | undefined;
}

export interface ReadHistory extends AgentKey {
  readonly afterRevision: number;
  readonly limit: number;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly entries: readonly StateRecord[];
  /** The entry before the first one, if it is kept. */
  readonly before: StateRecord | undefined;
  readonly more: boolean;
}

export interface ExpireLeases {
  /**
   * For how long the caller had not been able to sweep (milliseconds). An agent whose lease is not longer and ran out gets one
   * fresh lease instead of being expired: its renewals may have been waiting behind the same stall.
   */
  readonly stalledMs: number;
}

export interface Expired {
  readonly suspected: number;
  readonly lost: number;
  /** How many agents are past their time and kept at SUSPECT by the mass-expiry brake. */
  readonly braked: number;
}

export interface StartSession extends SessionKey, Repeatable, Attributed {
  /** Must be registered; empty when every task goes to any agent with its capability. */
  readonly agentId: string;
  readonly workflowId: string;
  readonly metadata: JsonObject | undefined;
  /**
   * What is to be done, in an order in which dependencies come first. Those without dependencies are READY at once. A session
   * without tasks ends when it is told to.
   */
  readonly tasks: readonly TaskPlan[];
}

export interface UpdateSession extends SessionKey, Repeatable, Attributed {
  readonly patch: Partial<Pick<SessionRecord, "status" | "metadata" | "result" | "error">>;
  /** 0: any. */
  readonly expectedRevision: number;
}

export interface ListSessions {
  readonly namespace: string;
  /** Empty: any. */
  readonly agentId: string;
  /** Empty: any. */
  readonly workflowId: string;
  /** One of these; empty: any. */
  readonly statuses: readonly SessionStatus[];
  readonly limit: number;
  readonly cursor: string | undefined;
}

export interface Storage extends ChangeLog, DocumentStorage, TaskStorage {
  registerAgent(command: RegisterAgent): Awaitable<Registered>;
  /** @throws AGENT_NOT_FOUND, STALE_INCARNATION, UNKNOWN_INCARNATION */
  deregisterAgent(command: DeregisterAgent): Awaitable<Agent>;
  /** @throws AGENT_NOT_FOUND, STATE_MISMATCH */
  updateAgent(command: UpdateAgent): Awaitable<Agent>;
  getAgent(key: AgentKey): Awaitable<Agent | undefined>;
  listAgents(query: ListAgents): Awaitable<Page<Agent>>;
  /** @throws AGENT_NOT_FOUND, STALE_INCARNATION, UNKNOWN_INCARNATION */
  renewLease(command: RenewLease): Awaitable<RenewedLease>;
  /**
   * Applies a report; while the agent is not registered, holds it up to `holdMs` and answers when it was applied.
   *
   * A report that is discarded for its age is judged by its incarnation, its sequence and its preconditions all the same, and
   * renews no lease.
   *
   * @throws AGENT_NOT_FOUND, STALE_INCARNATION, UNKNOWN_INCARNATION, STALE_SEQUENCE, STATE_MISMATCH, ILLEGAL_TRANSITION, in this
   * order of checks; TOO_MANY when too many reports are held
   */
  setState(command: SetState): Awaitable<ReportOutcome>;
  getState(key: AgentKey): Awaitable<StateRecord | undefined>;
  /** Undefined when nothing is known of the agent. */
  readHistory(query: ReadHistory): Awaitable<HistoryPage | undefined>;
  /** Expires what is due. Called every few hundred milliseconds by every replica. */
  expireLeases(command: ExpireLeases): Awaitable<Expired>;
  /** Makes LOST what the brake holds at SUSPECT in one namespace. Answers how many. */
  confirmExpiry(namespace: string): Awaitable<number>;
  /** @throws AGENT_NOT_FOUND, SESSION_ALREADY_EXISTS */
  startSession(command: StartSession): Awaitable<SessionRecord>;
  /**
   * With the end of a session its tasks that have not ended are CANCELLED.
   *
   * @throws SESSION_NOT_FOUND, SESSION_ENDED, STATE_MISMATCH, ILLEGAL_TRANSITION, in this order of checks
   */
  updateSession(command: UpdateSession): Awaitable<SessionRecord>;
  getSession(key: SessionKey): Awaitable<SessionRecord | undefined>;
  listSessions(query: ListSessions): Awaitable<Page<SessionRecord>>;
  /**
   * Claims a key, so that what it stands for is done once, on whichever replica: the first caller gets true, the others false, for
   * {@link CLAIM_MEMORY_MS}.
   *
   * @param key 1 to 256 characters of `[A-Za-z0-9._:-]`; not part of any namespace
   * @throws TOO_MANY when no more claims can be remembered
   */
  claim(key: string): Awaitable<boolean>;
  /** How many reports of callers of this process wait for registrations. */
  readonly heldReports: number;
  /** Whether commands can be served now. */
  ready(): Awaitable<boolean>;
  /** Ends tails, fails held reports with SERVER_STOPPING, frees everything. May be called again. */
  close(): Awaitable<void>;
}
