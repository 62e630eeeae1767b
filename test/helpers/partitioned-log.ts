/**
 * A log with several partitions that answers late, as one behind a network does: reads answer a microtask later, and what was
 * committed reaches the tail only when the test delivers it, partition by partition. With it the tests can put a watcher and
 * the hub at any distance from each other.
 */
import type {
  Agent,
  AgentChange,
  AgentChangeType,
  Liveness,
  SessionRecord,
  State,
  TaskRecord,
} from "../../src/storage/records.js";
import { AgentChangeType as Type, Liveness as Live } from "../../src/storage/records.js";
import type {
  ChangeLog,
  LogListener,
  LogPage,
  LogTail,
  Position,
  Snapshot,
  SnapshotPage,
  SnapshotQuery,
} from "../../src/storage/storage.js";

const SNAPSHOT_PAGE = 2;

export class PartitionedLog implements ChangeLog {
  epoch = "e1";
  /** Every commit ever, in commit order. */
  readonly history: AgentChange[] = [];
  private readonly heads: number[];
  private readonly floors: number[];
  private readonly undelivered: AgentChange[][];
  private readonly agents = new Map<string, Agent>();
  private listener: LogListener | undefined;

  constructor(readonly partitions: number) {
    this.heads = new Array<number>(partitions).fill(0);
    this.floors = new Array<number>(partitions).fill(0);
    this.undelivered = Array.from({ length: partitions }, () => []);
  }

  partitionOf(agentId: string): number {
    return Number(agentId.replace(/\D/g, "")) % this.partitions;
  }

  agent(agentId: string): Agent | undefined {
    return this.agents.get(agentId);
  }

  get position(): Position {
    return { epoch: this.epoch, revisions: this.heads.slice() };
  }

  /** Commits a state of an agent, registering it when it is new; `labels` changes its data as well. */
  commit(agentId: string, state: State, labels?: Readonly<Record<string, string>>): AgentChange {
    const known = this.agents.get(agentId);
    const type = known === undefined ? Type.REGISTERED : labels === undefined ? Type.TRANSITION : Type.UPDATED;
    return this.append(agentId, type, state, labels ?? known?.record.labels ?? {});
  }

  remove(agentId: string): AgentChange | undefined {
    const known = this.agents.get(agentId);
    if (known === undefined) return undefined;
    const change = this.append(agentId, Type.DEREGISTERED, known.state.state, known.record.labels);
    this.agents.delete(agentId);
    return change;
  }

  /** Hands up to `count` committed changes of a partition to the tail. */
  deliver(partition: number, count = Infinity): void {
    const queue = this.undelivered[partition] ?? [];
    const changes = queue.splice(0, count);
    if (changes.length > 0) this.listener?.onChanges(changes);
  }

  deliverAll(): void {
    for (let p = 0; p < this.partitions; p++) this.deliver(p);
  }

  /** Forgets all of the log up to now. */
  truncate(): void {
    this.heads.forEach((head, p) => (this.floors[p] = head));
  }

  /** Another history begins; the tail is told that it lost the old one. */
  lose(): void {
    this.epoch = `e${Number(this.epoch.slice(1)) + 1}`;
    for (const queue of this.undelivered) queue.length = 0;
    this.listener?.onLost("epoch", this.position);
  }

  /** Everything is gone, and another history begins with nothing. */
  begin(): void {
    this.heads.fill(0);
    this.floors.fill(0);
    this.history.length = 0;
    this.agents.clear();
    this.lose();
  }

  async head(): Promise<Position> {
    await Promise.resolve();
    return this.position;
  }

  async readLog(from: Position, limit: number): Promise<LogPage> {
    await Promise.resolve();
    if (from.epoch !== this.epoch || from.revisions.length !== this.partitions) return { lost: "epoch" };
    if (from.revisions.some((revision, p) => revision > (this.heads[p] ?? 0))) return { lost: "ahead" };
    if (from.revisions.some((revision, p) => revision < (this.floors[p] ?? 0))) return { lost: "truncated" };
    const after = this.history.filter((change) => change.revision > (from.revisions[change.partition] ?? 0));
    const changes = after.slice(0, limit);
    const revisions = from.revisions.slice();
    for (const change of changes) revisions[change.partition] = change.revision;
    return { lost: undefined, changes, position: { epoch: from.epoch, revisions }, atHead: after.length <= limit };
  }

  async tail(listener: LogListener): Promise<LogTail> {
    await Promise.resolve();
    this.listener = listener;
    for (const queue of this.undelivered) queue.length = 0;
    return { start: this.position, close: () => (this.listener = undefined) };
  }

  async snapshotAgents(query: SnapshotQuery): Promise<Snapshot<Agent>> {
    await Promise.resolve();
    return { position: this.position, pages: () => this.pages(query) };
  }

  snapshotSessions(): Promise<Snapshot<SessionRecord>> {
    throw new Error("this log has no sessions");
  }

  snapshotTasks(): Promise<Snapshot<TaskRecord>> {
    throw new Error("this log has no tasks");
  }

  /** Pages are read one after the other, so later ones hold records newer than the snapshot's position. */
  private async *pages({ namespace, ids }: SnapshotQuery): AsyncGenerator<SnapshotPage<Agent>> {
    for (let partition = 0; partition < this.partitions; partition++) {
      const all = [...this.agents.keys()].filter((agentId) => this.partitionOf(agentId) === partition);
      const names = all.filter((agentId) => ids?.includes(agentId) ?? true);
      for (let start = 0; start < names.length; start += SNAPSHOT_PAGE) {
        await Promise.resolve();
        const items = names
          .slice(start, start + SNAPSHOT_PAGE)
          .map((agentId) => this.agents.get(agentId))
          .filter((agent): agent is Agent => agent?.record.namespace === namespace);
        yield { partition, items };
      }
    }
  }

  private append(
    agentId: string,
    type: AgentChangeType,
    state: State,
    labels: Readonly<Record<string, string>>,
    liveness: Liveness = Live.ALIVE,
  ): AgentChange {
    const known = this.agents.get(agentId);
    const partition = this.partitionOf(agentId);
    const revision = (this.heads[partition] ?? 0) + 1;
    this.heads[partition] = revision;
    const agent = makeAgent(agentId, state, labels, liveness, revision, type, known);
    const change: AgentChange = {
      kind: "agent",
      namespace: agent.record.namespace,
      partition,
      revision,
      type,
      state: type === Type.UPDATED && known !== undefined ? known.state : agent.state,
      previous: known?.state,
      scope: { labels, capabilities: [] },
      previousScope: known === undefined ? undefined : { labels: known.record.labels, capabilities: [] },
      agent: type === Type.REGISTERED || type === Type.UPDATED ? agent : undefined,
    };
    this.agents.set(agentId, type === Type.UPDATED && known !== undefined ? { ...agent, state: known.state } : agent);
    this.history.push(change);
    this.undelivered[partition]?.push(change);
    return change;
  }
}

function makeAgent(
  agentId: string,
  state: State,
  labels: Readonly<Record<string, string>>,
  liveness: Liveness,
  revision: number,
  cause: AgentChangeType,
  known: Agent | undefined,
): Agent {
  return {
    record: {
      namespace: "default",
      agentId,
      displayName: "",
      version: "",
      capabilities: [],
      contactEndpoint: "",
      labels,
      metadata: undefined,
      leaseTtlMs: 0,
      maxConcurrentTasks: 1,
      taskDelivery: 0,
      incarnation: 1,
      registerTime: 0,
      updateTime: 0,
      revision: cause === Type.TRANSITION ? (known?.record.revision ?? revision) : revision,
      size: 100,
    },
    state: {
      agentId,
      state,
      liveness,
      reason: "",
      message: "",
      details: undefined,
      sessionId: "",
      taskId: "",
      incarnation: 1,
      sequence: 0,
      reportTime: undefined,
      commitTime: 0,
      revision,
      actor: "test",
      cause,
      size: 100,
    },
    leaseExpireTime: undefined,
  };
}
