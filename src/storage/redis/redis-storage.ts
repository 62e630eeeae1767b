import type { Agent, SessionRecord, StateRecord, TaskRecord, WorkflowRecord } from "../records.js";
import type * as contract from "../storage.js";
import { Agents } from "./agents.js";
import { Commands } from "./commands.js";
import { Documents } from "./documents.js";
import type { Keys } from "./keys.js";
import { Leases } from "./leases.js";
import { Lists } from "./lists.js";
import { LogPages } from "./log-pages.js";
import type { LogReader } from "./log-reader.js";
import type { RedisStorageSettings, RedisStorageStatus } from "./options.js";
import { toPosition } from "./positions.js";
import { Reports } from "./reports.js";
import { Sessions } from "./sessions.js";
import type { Shards } from "./shards.js";
import { Slots } from "./slots.js";
import { Snapshots } from "./snapshots.js";
import { TaskLists } from "./task-lists.js";
import { Tasks } from "./tasks.js";
import { Workflows } from "./workflows.js";

/** Spreads claims over the partitions. */
const CLAIMS = "claims";

/**
 * The storage contract on Redis, for any number of replicas. Every command is one script on one partition; everything that
 * replicas tell each other goes through the log.
 */
export class RedisStorage implements contract.Storage {
  private readonly commands: Commands;
  private readonly reports: Reports;
  private readonly agents: Agents;
  private readonly leases: Leases;
  private readonly sessions: Sessions;
  private readonly documents: Documents;
  private readonly tasks: Tasks;
  private readonly taskLists: TaskLists;
  private readonly slots: Slots;
  private readonly workflows: Workflows;
  private readonly lists: Lists;
  private readonly pages: LogPages;
  private readonly snapshots: Snapshots;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly shards: Shards,
    private readonly reader: LogReader,
    keys: Keys,
    settings: RedisStorageSettings,
  ) {
    const commands = new Commands(shards, keys);
    this.commands = commands;
    this.reports = new Reports(commands, settings);
    this.agents = new Agents(commands, this.reports.held);
    this.leases = new Leases(commands, settings);
    this.sessions = new Sessions(commands);
    this.documents = new Documents(commands);
    this.tasks = new Tasks(commands, settings);
    this.taskLists = new TaskLists(commands, (key) => this.tasks.get(key));
    this.slots = new Slots(commands);
    this.workflows = new Workflows(commands);
    this.lists = new Lists(commands);
    this.pages = new LogPages(commands);
    this.snapshots = new Snapshots(this.lists, keys.partitions, (namespace, id) => keys.partitionOf(namespace, id));
  }

  /** Begins to follow the log. */
  async start(): Promise<void> {
    await this.reader.start();
    const { held } = this.reports;
    const listener = { onChanges: held.onChanges.bind(held), onLost: held.onLost.bind(held) };
    await this.reader.tail(listener, this.reader.position);
  }

  async registerAgent(command: contract.RegisterAgent): Promise<contract.Registered> {
    this.commands.checkOpen();
    return this.agents.register(command);
  }

  async deregisterAgent(command: contract.DeregisterAgent): Promise<Agent> {
    this.commands.checkOpen();
    return this.agents.deregister(command);
  }

  async updateAgent(command: contract.UpdateAgent): Promise<Agent> {
    this.commands.checkOpen();
    return this.agents.update(command);
  }

  async getAgent(key: contract.AgentKey): Promise<Agent | undefined> {
    this.commands.checkOpen();
    return this.agents.get(key);
  }

  async listAgents(query: contract.ListAgents): Promise<contract.Page<Agent>> {
    this.commands.checkOpen();
    return this.lists.agents(query);
  }

  async renewLease(command: contract.RenewLease): Promise<contract.RenewedLease> {
    this.commands.checkOpen();
    return this.agents.renewLease(command);
  }

  async setState(command: contract.SetState): Promise<contract.ReportOutcome> {
    this.commands.checkOpen();
    return this.reports.set(command);
  }

  async getState(key: contract.AgentKey): Promise<StateRecord | undefined> {
    this.commands.checkOpen();
    return this.agents.getState(key);
  }

  async readHistory(query: contract.ReadHistory): Promise<contract.HistoryPage | undefined> {
    this.commands.checkOpen();
    return this.agents.readHistory(query);
  }

  async expireLeases(command: contract.ExpireLeases): Promise<contract.Expired> {
    this.commands.checkOpen();
    return this.leases.expire(command.stalledMs);
  }

  async confirmExpiry(namespace: string): Promise<number> {
    this.commands.checkOpen();
    return this.leases.lose(namespace);
  }

  async startSession(command: contract.StartSession): Promise<SessionRecord> {
    this.commands.checkOpen();
    return this.sessions.start(command);
  }

  async updateSession(command: contract.UpdateSession): Promise<SessionRecord> {
    this.commands.checkOpen();
    return this.sessions.update(command);
  }

  async getSession(key: contract.SessionKey): Promise<SessionRecord | undefined> {
    this.commands.checkOpen();
    return this.sessions.get(key);
  }

  async listSessions(query: contract.ListSessions): Promise<contract.Page<SessionRecord>> {
    this.commands.checkOpen();
    return this.lists.sessions(query);
  }

  async claim(key: string): Promise<boolean> {
    this.commands.checkOpen();
    const partition = this.commands.keys.partitionOf(CLAIMS, key);
    return (await this.commands.text("claim", partition, [key])) === "1";
  }

  async putWorkflow(command: contract.PutWorkflow): Promise<contract.StoredWorkflow> {
    this.commands.checkOpen();
    return this.workflows.put(command);
  }

  async getWorkflow(key: contract.WorkflowKey): Promise<WorkflowRecord | undefined> {
    this.commands.checkOpen();
    return this.workflows.get(key);
  }

  async listWorkflows(query: contract.ListWorkflows): Promise<contract.Page<WorkflowRecord>> {
    this.commands.checkOpen();
    return this.workflows.list(query);
  }

  async deleteWorkflow(command: contract.DeleteWorkflow): Promise<WorkflowRecord> {
    this.commands.checkOpen();
    return this.workflows.delete(command);
  }

  async leaseTask(command: contract.LeaseTask): Promise<TaskRecord> {
    this.commands.checkOpen();
    return this.tasks.lease(command);
  }

  async renewTask(command: contract.RenewTask): Promise<contract.RenewedTask> {
    this.commands.checkOpen();
    return this.tasks.renew(command);
  }

  async completeTask(command: contract.CompleteTask): Promise<TaskRecord> {
    this.commands.checkOpen();
    return this.tasks.complete(command);
  }

  async failTask(command: contract.FailTask): Promise<TaskRecord> {
    this.commands.checkOpen();
    return this.tasks.fail(command);
  }

  async cancelTask(command: contract.CancelTask): Promise<TaskRecord> {
    this.commands.checkOpen();
    return this.tasks.cancel(command);
  }

  async retryTask(key: contract.TaskKey): Promise<TaskRecord> {
    this.commands.checkOpen();
    return this.tasks.retry(key);
  }

  async expireTasks({ jitter }: contract.ExpireTasks): Promise<number> {
    this.commands.checkOpen();
    return this.tasks.expire(jitter);
  }

  async getTask(key: contract.TaskKey): Promise<TaskRecord | undefined> {
    this.commands.checkOpen();
    return this.tasks.get(key);
  }

  async listTasks(query: contract.ListTasks): Promise<contract.Page<TaskRecord>> {
    this.commands.checkOpen();
    return this.taskLists.list(query);
  }

  async reserveSlot(command: contract.ReserveSlot): Promise<contract.SlotOutcome> {
    this.commands.checkOpen();
    return this.slots.reserve(command);
  }

  async releaseSlot(key: contract.AgentKey & contract.AttemptKey): Promise<void> {
    this.commands.checkOpen();
    return this.slots.release(key);
  }

  async writeDocument(command: contract.WriteDocument): Promise<contract.DocumentRecord | undefined> {
    this.commands.checkOpen();
    return this.documents.writeDocument(command);
  }

  async deleteDocument(command: contract.DeleteDocument): Promise<boolean> {
    this.commands.checkOpen();
    return this.documents.deleteDocument(command);
  }

  async readDocument(key: contract.DocumentKey): Promise<contract.DocumentRecord | undefined> {
    this.commands.checkOpen();
    return this.documents.readDocument(key);
  }

  async listDocuments(query: contract.ListDocuments): Promise<contract.Page<contract.DocumentRecord>> {
    this.commands.checkOpen();
    return this.documents.listDocuments(query);
  }

  async head(): Promise<contract.Position> {
    this.commands.checkOpen();
    return toPosition(await this.pages.heads());
  }

  async readLog(from: contract.Position, limit: number): Promise<contract.LogPage> {
    this.commands.checkOpen();
    return this.pages.read(from, limit);
  }

  async tail(listener: contract.LogListener): Promise<contract.LogTail> {
    return this.reader.tail(listener, await this.head());
  }

  async snapshotAgents(query: contract.SnapshotQuery): Promise<contract.Snapshot<Agent>> {
    const { namespace } = query;
    return this.snapshots.agents(await this.head(), query, (agentId) => this.getAgent({ namespace, agentId }));
  }

  async snapshotSessions(query: contract.SnapshotQuery): Promise<contract.Snapshot<SessionRecord>> {
    const { namespace } = query;
    return this.snapshots.sessions(await this.head(), query, (sessionId) => this.getSession({ namespace, sessionId }));
  }

  async snapshotTasks(query: contract.TaskSnapshotQuery): Promise<contract.Snapshot<TaskRecord>> {
    return this.taskLists.snapshot(await this.head(), query);
  }

  get heldReports(): number {
    return this.reports.held.size;
  }

  ready(): boolean {
    return this.closing === undefined && this.shards.areOpen && this.reader.isFollowing;
  }

  /** How it stands with Redis now. */
  status(): RedisStorageStatus {
    return {
      connections: this.shards.statuses,
      isFollowing: this.reader.isFollowing,
      isShortOfReplicas: this.shards.areShortOfReplicas,
    };
  }

  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    this.commands.stop();
    // Reports on their way may turn out to be held.
    await this.commands.turn.drain();
    await this.reports.held.close();
    await this.reader.close();
    this.shards.close();
  }
}
