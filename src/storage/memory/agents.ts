import { agentNotFound } from "../../errors/index.js";
import type { Agent, AgentProfile, AgentRecord, StateRecord } from "../records.js";
import { recordMismatch } from "../refusals.js";
import { agentWithStateSize } from "../sizes.js";
import type {
  AgentKey,
  DeregisterAgent,
  ListAgents,
  Page,
  RegisterAgent,
  Registered,
  RenewedLease,
  RenewLease,
  UpdateAgent,
} from "../storage.js";
import type { Commits } from "./commits.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import { AgentEntry, type Namespaces } from "./entries.js";
import { checkIncarnation } from "./fences.js";
import type { Leases } from "./leases.js";
import { toPage } from "./ordered-index.js";
import { agentRecord, profileEquals } from "./profiles.js";
import type { Reports } from "./reports.js";
import { requestKey, type RequestMemory } from "./request-memory.js";
import { registeredState, removedState } from "./state-records.js";
import type { Tombstones } from "./tombstones.js";

/** How many agents one page looks at, at most. */
const SCAN_BUDGET = 10_000;

/** Answers to repeated requests about agents. */
export interface AgentAnswers {
  readonly registered: RequestMemory<Registered>;
  readonly updated: RequestMemory<Agent>;
}

/** Which agents there are. */
export class Agents {
  constructor(
    private readonly namespaces: Namespaces,
    private readonly commits: Commits,
    private readonly leases: Leases,
    private readonly reports: Reports,
    private readonly tombstones: Tombstones,
    private readonly answers: AgentAnswers,
  ) {}

  register(command: RegisterAgent): Registered {
    const key = requestKey(command.namespace, command.agentId, command.requestId);
    const answered = command.requestId === "" ? undefined : this.answers.registered.recall(key);
    if (answered !== undefined) return answered;

    const registered = this.namespaces.agent(command.namespace, command.agentId);
    const answer =
      registered !== undefined && command.keepState
        ? { agent: this.keepState(registered, command.profile), created: false }
        : this.newIncarnation(registered, command);
    if (command.requestId !== "") {
      this.answers.registered.remember(key, answer, answer.agent.record.size + answer.agent.state.size);
    }
    return answer;
  }

  deregister(command: DeregisterAgent): Agent {
    const entry = this.require(command);
    checkIncarnation(entry, command.incarnation);
    const { table, history } = entry;
    this.leases.end(entry);
    table.agents.delete(entry.id);
    table.agentsInOrder.remove(entry);
    const last = removedState(entry.state, entry.sequence, command.actor, this.commits.stamp);
    this.tombstones.bury(table, last, history);
    this.commits.state(entry, last);
    return this.leases.view(entry);
  }

  update(command: UpdateAgent): Agent {
    const key = requestKey(command.namespace, command.agentId, command.requestId);
    const answered = command.requestId === "" ? undefined : this.answers.updated.recall(key);
    if (answered !== undefined) return answered;

    const entry = this.require(command);
    const { record } = entry;
    if (command.expectedRevision !== 0 && command.expectedRevision !== record.revision) {
      throw recordMismatch(record.agentId, command.expectedRevision, record.revision);
    }
    const agent = this.change(entry, { ...record, ...command.patch });
    if (command.requestId !== "") this.answers.updated.remember(key, agent, agent.record.size + agent.state.size);
    return agent;
  }

  get(key: AgentKey): Agent | undefined {
    const entry = this.namespaces.agent(key.namespace, key.agentId);
    return entry === undefined ? undefined : this.leases.view(entry);
  }

  list(query: ListAgents): Page<Agent> {
    const after = decodeCursor("a", query.cursor);
    const table = this.namespaces.get(query.namespace);
    if (table === undefined) return { items: [], next: undefined };
    const page = table.agentsInOrder.page(after, query.limit, SCAN_BUDGET, {
      matches: (entry) => isListed(entry, query),
      sizeOf: agentWithStateSize,
    });
    return toPage(
      page,
      (entry) => this.leases.view(entry),
      (ordinal) => encodeCursor("a", ordinal),
    );
  }

  renewLease(command: RenewLease): RenewedLease {
    const entry = this.require(command);
    checkIncarnation(entry, command.incarnation);
    return this.leases.renew(entry);
  }

  private newIncarnation(registered: AgentEntry | undefined, command: RegisterAgent): Registered {
    const before = registered?.record;
    const previous = registered?.state;
    const entry = registered === undefined ? this.admit(command) : this.replace(registered, command);
    this.leases.begin(entry);
    this.commits.registration(entry, this.leases.view(entry), previous, before);
    this.reports.applyHeld(entry);
    return { agent: this.leases.view(entry), created: registered === undefined };
  }

  private admit(command: RegisterAgent): AgentEntry {
    // What is too old is not taken up, should nobody have come to drop it.
    this.tombstones.forget(this.commits.commitTime);
    const table = this.namespaces.getOrCreate(command.namespace);
    const { incarnation, history } = this.tombstones.exhume(table, command.agentId);
    const { record, state } = this.recordsOf(command, incarnation + 1);
    const entry = new AgentEntry(table, table.nextOrdinal(), history, record, state);
    table.agents.set(entry);
    table.agentsInOrder.add(entry);
    return entry;
  }

  private replace(entry: AgentEntry, command: RegisterAgent): AgentEntry {
    const { record, state } = this.recordsOf(command, entry.record.incarnation + 1);
    entry.record = record;
    entry.state = state;
    entry.sequence = 0;
    entry.reportedTime = -Infinity;
    entry.slots = undefined;
    return entry;
  }

  private recordsOf(command: RegisterAgent, incarnation: number): { record: AgentRecord; state: StateRecord } {
    const { namespace, agentId, profile, initialState, actor } = command;
    const stamp = this.commits.stamp;
    const { commitTime, revision } = stamp;
    const identity = { namespace, agentId, incarnation, registerTime: commitTime, updateTime: commitTime, revision };
    return {
      record: agentRecord(identity, profile),
      state: registeredState(agentId, initialState, incarnation, actor, stamp),
    };
  }

  /** Takes the data of a third party's registration. How the agent lives and works is its own affair and stays. */
  private keepState(entry: AgentEntry, profile: AgentProfile): Agent {
    const { leaseTtlMs, maxConcurrentTasks, taskDelivery, labels: own } = entry.record;
    const labels = Object.keys(profile.labels).length === 0 ? own : profile.labels;
    return this.change(entry, { ...profile, leaseTtlMs, maxConcurrentTasks, taskDelivery, labels });
  }

  private change(entry: AgentEntry, profile: AgentProfile): Agent {
    const before = entry.record;
    if (profileEquals(before, profile)) return this.leases.view(entry);
    const { commitTime, revision } = this.commits.stamp;
    entry.record = agentRecord({ ...before, updateTime: commitTime, revision }, profile);
    if (profile.leaseTtlMs !== before.leaseTtlMs) this.leases.follow(entry);
    this.commits.update(entry, this.leases.view(entry), before);
    // Without a lease nothing is observed: an agent that was not ALIVE is now.
    if (profile.leaseTtlMs === 0) this.leases.renew(entry);
    return this.leases.view(entry);
  }

  private require(key: AgentKey): AgentEntry {
    const entry = this.namespaces.agent(key.namespace, key.agentId);
    if (entry === undefined) throw agentNotFound(key.agentId);
    return entry;
  }
}

function isListed(entry: AgentEntry, query: ListAgents): boolean {
  const { record, state } = entry;
  if (query.states.length > 0 && !query.states.includes(state.state)) return false;
  if (query.liveness.length > 0 && !query.liveness.includes(state.liveness)) return false;
  if (!query.capabilities.every((capability) => record.capabilities.includes(capability))) return false;
  return query.selector.matches(record.labels);
}
