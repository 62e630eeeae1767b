import { serverStopping } from "../../errors/index.js";
import type { Awaitable } from "../../lib/awaitable.js";
import type { Agent, SessionRecord, StateRecord, TaskRecord, WorkflowRecord } from "../records.js";
import type * as contract from "../storage.js";
import { Agents } from "./agents.js";
import { Claims } from "./claims.js";
import { ChangeRing } from "./change-ring.js";
import { Commits } from "./commits.js";
import { Documents } from "./documents.js";
import { Namespaces } from "./entries.js";
import { HeldReports } from "./held-reports.js";
import { HistoryRetention } from "./history.js";
import { Leases } from "./leases.js";
import type { MemoryStorageSettings } from "./options.js";
import { Reports } from "./reports.js";
import { RequestAnswers } from "./request-answers.js";
import { SessionCommits } from "./session-commits.js";
import { Sessions } from "./sessions.js";
import { Slots } from "./slots.js";
import { snapshotAgents, snapshotSessions, snapshotTasks } from "./snapshots.js";
import { Tasks } from "./tasks.js";
import { Tombstones } from "./tombstones.js";
import { Workflows } from "./workflows.js";

/**
 * The storage contract over plain maps and a ring log, for one process: one partition, nothing to install, nothing kept when the
 * process ends. Everything but a held report answers at once.
 *
 * A commit costs the same whether there are a thousand agents or a million: two look-ups, one record, one change, one place in
 * the agent's history and one in the log. A renewal writes one number.
 */
export class MemoryStorage implements contract.Storage {
  private readonly namespaces = new Namespaces();
  private readonly log: ChangeRing;
  private readonly commits: Commits;
  private readonly history: HistoryRetention;
  private readonly leases: Leases;
  private readonly held: HeldReports;
  private readonly reports: Reports;
  private readonly tombstones: Tombstones;
  private readonly agents: Agents;
  private readonly sessionCommits: SessionCommits;
  private readonly sessions: Sessions;
  private readonly tasks: Tasks;
  private readonly slots: Slots;
  private readonly workflows: Workflows;
  private readonly answers: RequestAnswers;
  private readonly claims: Claims;
  private readonly documents = new Documents();
  private closed = false;

  constructor(settings: MemoryStorageSettings) {
    const { clock, historyAgeMs } = settings;
    const { namespaces } = this;
    this.answers = new RequestAnswers(settings);
    this.claims = new Claims(clock, settings.maxClaims);
    this.log = new ChangeRing(settings.logCapacity, settings.logBytes);
    this.history = new HistoryRetention(settings.historyLimit, historyAgeMs);
    this.commits = new Commits(clock, this.log, this.history);
    this.leases = new Leases(clock, this.commits);
    this.held = new HeldReports({
      perAgent: settings.maxHeldReportsPerAgent,
      inAll: settings.maxHeldReports,
      bytes: settings.maxHeldBytes,
    });
    this.reports = new Reports(namespaces, this.commits, this.leases, this.held, this.answers.reported);
    this.tombstones = new Tombstones(namespaces, settings.maxTombstones, historyAgeMs);
    this.agents = new Agents(namespaces, this.commits, this.leases, this.reports, this.tombstones, this.answers);
    const endedLimits = { count: settings.maxEndedSessions, ageMs: historyAgeMs };
    this.sessionCommits = new SessionCommits(this.commits, endedLimits, (entry) => this.sessions.drop(entry));
    this.tasks = new Tasks(namespaces, clock, this.commits, this.sessionCommits);
    this.sessions = new Sessions(namespaces, this.commits, this.sessionCommits, this.tasks, this.answers);
    this.slots = new Slots(namespaces, this.commits);
    this.workflows = new Workflows(namespaces, this.commits);
  }

  registerAgent(command: contract.RegisterAgent): contract.Registered {
    this.checkOpen();
    return this.agents.register(command);
  }

  deregisterAgent(command: contract.DeregisterAgent): Agent {
    this.checkOpen();
    return this.agents.deregister(command);
  }

  updateAgent(command: contract.UpdateAgent): Agent {
    this.checkOpen();
    return this.agents.update(command);
  }

  getAgent(key: contract.AgentKey): Agent | undefined {
    this.checkOpen();
    return this.agents.get(key);
  }

  listAgents(query: contract.ListAgents): contract.Page<Agent> {
    this.checkOpen();
    return this.agents.list(query);
  }

  renewLease(command: contract.RenewLease): contract.RenewedLease {
    this.checkOpen();
    return this.agents.renewLease(command);
  }

  setState(command: contract.SetState): Awaitable<contract.ReportOutcome> {
    this.checkOpen();
    return this.reports.set(command);
  }

  getState(key: contract.AgentKey): StateRecord | undefined {
    this.checkOpen();
    return this.namespaces.agent(key.namespace, key.agentId)?.state;
  }

  readHistory(query: contract.ReadHistory): contract.HistoryPage | undefined {
    this.checkOpen();
    const now = this.commits.commitTime;
    this.tombstones.forget(now);
    const table = this.namespaces.get(query.namespace);
    const source = table?.agents.get(query.agentId) ?? table?.tombstones.get(query.agentId);
    return source === undefined ? undefined : this.history.read(source.history, query, now);
  }

  expireLeases(command: contract.ExpireLeases): contract.Expired {
    this.checkOpen();
    this.forget();
    return this.leases.sweep(command.stalledMs);
  }

  confirmExpiry(namespace: string): number {
    this.checkOpen();
    return this.leases.confirm(namespace);
  }

  startSession(command: contract.StartSession): SessionRecord {
    this.checkOpen();
    return this.sessions.start(command);
  }

  updateSession(command: contract.UpdateSession): SessionRecord {
    this.checkOpen();
    return this.sessions.update(command);
  }

  getSession(key: contract.SessionKey): SessionRecord | undefined {
    this.checkOpen();
    return this.sessions.get(key);
  }

  listSessions(query: contract.ListSessions): contract.Page<SessionRecord> {
    this.checkOpen();
    return this.sessions.list(query);
  }

  claim(key: string): boolean {
    this.checkOpen();
    return this.claims.claim(key);
  }

  putWorkflow(command: contract.PutWorkflow): contract.StoredWorkflow {
    this.checkOpen();
    return this.workflows.put(command);
  }

  getWorkflow(key: contract.WorkflowKey): WorkflowRecord | undefined {
    this.checkOpen();
    return this.workflows.get(key);
  }

  listWorkflows(query: contract.ListWorkflows): contract.Page<WorkflowRecord> {
    this.checkOpen();
    return this.workflows.list(query);
  }

  deleteWorkflow(command: contract.DeleteWorkflow): WorkflowRecord {
    this.checkOpen();
    return this.workflows.delete(command);
  }

  leaseTask(command: contract.LeaseTask): TaskRecord {
    this.checkOpen();
    return this.tasks.lease(command);
  }

  renewTask(command: contract.RenewTask): contract.RenewedTask {
    this.checkOpen();
    return this.tasks.renew(command);
  }

  completeTask(command: contract.CompleteTask): TaskRecord {
    this.checkOpen();
    return this.tasks.complete(command);
  }

  failTask(command: contract.FailTask): TaskRecord {
    this.checkOpen();
    return this.tasks.fail(command);
  }

  cancelTask(command: contract.CancelTask): TaskRecord {
    this.checkOpen();
    return this.tasks.cancel(command);
  }

  retryTask(key: contract.TaskKey): TaskRecord {
    this.checkOpen();
    return this.tasks.retry(key);
  }

  expireTasks({ jitter }: contract.ExpireTasks): number {
    this.checkOpen();
    return this.tasks.expire(jitter);
  }

  getTask(key: contract.TaskKey): TaskRecord | undefined {
    this.checkOpen();
    return this.tasks.get(key);
  }

  listTasks(query: contract.ListTasks): contract.Page<TaskRecord> {
    this.checkOpen();
    return this.tasks.list(query);
  }

  reserveSlot(command: contract.ReserveSlot): contract.SlotOutcome {
    this.checkOpen();
    return this.slots.reserve(command);
  }

  releaseSlot(key: contract.AgentKey & contract.AttemptKey): void {
    this.checkOpen();
    this.slots.release(key);
  }

  writeDocument(command: contract.WriteDocument): contract.DocumentRecord | undefined {
    this.checkOpen();
    return this.documents.writeDocument(command);
  }

  deleteDocument(command: contract.DeleteDocument): boolean {
    this.checkOpen();
    return this.documents.deleteDocument(command);
  }

  readDocument(key: contract.DocumentKey): contract.DocumentRecord | undefined {
    this.checkOpen();
    return this.documents.readDocument(key);
  }

  listDocuments(query: contract.ListDocuments): contract.Page<contract.DocumentRecord> {
    this.checkOpen();
    return this.documents.listDocuments(query);
  }

  head(): contract.Position {
    this.checkOpen();
    return this.log.head;
  }

  readLog(from: contract.Position, limit: number): contract.LogPage {
    this.checkOpen();
    return this.log.read(from, limit);
  }

  tail(listener: contract.LogListener): contract.LogTail {
    this.checkOpen();
    return this.log.tail(listener);
  }

  snapshotAgents(query: contract.SnapshotQuery): contract.Snapshot<Agent> {
    this.checkOpen();
    return snapshotAgents(this.namespaces, this.leases, this.log.head, query);
  }

  snapshotSessions(query: contract.SnapshotQuery): contract.Snapshot<SessionRecord> {
    this.checkOpen();
    return snapshotSessions(this.namespaces, this.log.head, query);
  }

  get heldReports(): number {
    return this.held.size;
  }

  snapshotTasks(query: contract.TaskSnapshotQuery): contract.Snapshot<TaskRecord> {
    this.checkOpen();
    return snapshotTasks(this.namespaces, this.log.head, query);
  }

  ready(): boolean {
    return !this.closed;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.held.close();
    this.log.close();
    this.namespaces.clear();
  }

  /** Drops what retention has no more room for. Bounded work per call is not promised, amortised constant work per commit is. */
  private forget(): void {
    const now = this.commits.commitTime;
    this.tombstones.forget(now);
    this.sessionCommits.forget(now);
    this.answers.forget();
    this.claims.forget();
  }

  private checkOpen(): void {
    if (this.closed) throw serverStopping();
  }
}
