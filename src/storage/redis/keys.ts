/**
 * Every key that Ops-Core has in Redis. `docs/storage.md` describes what is in them.
 *
 * A partition is one hash tag, `{p07}`, so that all keys of a commit lie in one slot of a Redis Cluster. Namespaces and ids have
 * no slash in them, so names that are put together with one cannot be mistaken for each other.
 */

/**
 * What comes after the partition's part. Scripts get this table as `NAMES`: a script is given a partition's meta key and makes
 * the names of further keys in the same partition.
 */
export const KEY_NAMES = {
  /** Hash: epoch, newest revision, newest commit time. */
  meta: "meta",
  /** Stream: the log. */
  log: "log",
  /** Hash for each agent: `agent:NAMESPACE/ID`. */
  agent: "agent:",
  /** List of states for each agent, oldest first. */
  history: "history:",
  /** Hash for each agent that was deregistered, and all of them by age. */
  removed: "removed:",
  removals: "removals",
  /** Sorted sets of agent ids by the order of their registration: all of a namespace, and those with one property. */
  agents: "agents:",
  state: "state:",
  label: "label:",
  capability: "capability:",
  /** Sorted sets of `NAMESPACE/ID`: when to look at a lease next, and who is due to become LOST. */
  leases: "leases",
  overdue: "overdue",
  /** Hash of reports for each agent that is not registered yet, and what became of each. */
  held: "held:",
  answer: "answer:",
  /** Remembered answers to requests, and all of them by age. */
  request: "request:",
  requests: "requests",
  /** String for each document: `document:KIND/NAMESPACE/ID`; sorted set of `NAMESPACE/ID` for each kind. */
  document: "document:",
  documents: "documents:",
  /** String for each key that was claimed: when that is forgotten. */
  claim: "claim:",
  /** String for each session; sorted sets of session ids by the order of their start. */
  session: "session:",
  sessions: "sessions:",
  sessionsOf: "sessions-of:",
  /** Sorted set of `NAMESPACE/ID` of sessions by their end. */
  ended: "ended",
  /** For each session with tasks: hash of these, and hash of how they hang together (see `lua/includes/run.lua`). */
  tasks: "tasks:",
  run: "run:",
  /**
   * Sorted sets of ids of sessions with tasks by the order of their start: all of a namespace, those with a task in a status, and
   * those with one that an agent has or had; of `NAMESPACE/ID`: those with one that is READY or LEASED.
   */
  runs: "runs:",
  runsIn: "runs-in:",
  runsOf: "runs-of:",
  open: "open",
  /** Sorted set of `NAMESPACE/SESSION/TASK` of what is LEASED by the end of the lease; of `SESSION/TASK` for each agent that has some. */
  attempts: "attempts",
  assigned: "assigned:",
  /** Hash for each agent with room that is taken by tasks. */
  slots: "slots:",
  /** String for each workflow; sorted sets of their ids, in the order of these. */
  workflow: "workflow:",
  workflows: "workflows:",
} as const;

export const MAX_PARTITIONS = 256;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class Keys {
  private readonly bases: readonly string[];
  private readonly byBase: ReadonlyMap<string, number>;
  /** The meta keys of all partitions, in order. */
  readonly metas: readonly string[];

  /**
   * @param prefix what all keys of a deployment begin with
   * @param partitions over how many partitions the deployment is spread, for good
   */
  constructor(prefix: string, partitions: number) {
    this.bases = Array.from({ length: partitions }, (_, index) => `${prefix}:{p${String(index).padStart(2, "0")}}:`);
    this.metas = this.bases.map((base) => base + KEY_NAMES.meta);
    this.byBase = new Map(this.bases.map((base, partition) => [base, partition]));
  }

  /** Of the deployment as a whole: schema version and number of partitions. */
  static deployment(prefix: string): string {
    return `${prefix}:deployment`;
  }

  get partitions(): number {
    return this.bases.length;
  }

  /** The numbers of all partitions, in order. */
  get all(): readonly number[] {
    return this.bases.map((_, partition) => partition);
  }

  /** The partition of an agent, of a session with its tasks, or of a workflow: FNV-1a (32 bit) over `NAMESPACE/ID`, folded. */
  partitionOf(namespace: string, id: string): number {
    let hash = mix(FNV_OFFSET, namespace);
    hash = Math.imul(hash ^ 0x2f, FNV_PRIME);
    hash = mix(hash, id);
    // The low bits of FNV are its weak ones.
    return ((hash ^ (hash >>> 16)) >>> 0) % this.bases.length;
  }

  meta(partition: number): string {
    return this.base(partition) + KEY_NAMES.meta;
  }

  log(partition: number): string {
    return this.base(partition) + KEY_NAMES.log;
  }

  /** The partition that a key belongs to. */
  partitionOfKey(key: string): number {
    const partition = this.byBase.get(key.slice(0, key.indexOf("}") + 2));
    if (partition === undefined) throw new RangeError(`${key} is in no partition`);
    return partition;
  }

  agent(partition: number, namespace: string, agentId: string): string {
    return `${this.base(partition)}${KEY_NAMES.agent}${namespace}/${agentId}`;
  }

  answer(partition: number, namespace: string, agentId: string, heldId: string): string {
    return `${this.base(partition)}${KEY_NAMES.answer}${namespace}/${agentId}/${heldId}`;
  }

  session(partition: number, namespace: string, sessionId: string): string {
    return `${this.base(partition)}${KEY_NAMES.session}${namespace}/${sessionId}`;
  }

  /** @param name `NAMESPACE/ID` */
  document(partition: number, kind: string, name: string): string {
    return `${this.base(partition)}${KEY_NAMES.document}${kind}/${name}`;
  }

  tasks(partition: number, namespace: string, sessionId: string): string {
    return `${this.base(partition)}${KEY_NAMES.tasks}${namespace}/${sessionId}`;
  }

  assigned(partition: number, namespace: string, agentId: string): string {
    return `${this.base(partition)}${KEY_NAMES.assigned}${namespace}/${agentId}`;
  }

  slots(partition: number, namespace: string, agentId: string): string {
    return `${this.base(partition)}${KEY_NAMES.slots}${namespace}/${agentId}`;
  }

  workflow(partition: number, namespace: string, workflowId: string): string {
    return `${this.base(partition)}${KEY_NAMES.workflow}${namespace}/${workflowId}`;
  }

  workflows(partition: number, namespace: string): string {
    return `${this.base(partition)}${KEY_NAMES.workflows}${namespace}`;
  }

  private base(partition: number): string {
    const base = this.bases[partition];
    if (base === undefined) throw new RangeError(`there is no partition ${partition}`);
    return base;
  }
}

/** The index keys that lists are read from, without the partition's part. */
export const INDEXES = {
  agents: (namespace: string) => KEY_NAMES.agents + namespace,
  state: (namespace: string, state: number) => `${KEY_NAMES.state}${namespace}/${state}`,
  label: (namespace: string, label: string, value: string) => `${KEY_NAMES.label}${namespace}/${label}=${value}`,
  capability: (namespace: string, capability: string) => `${KEY_NAMES.capability}${namespace}/${capability}`,
  sessions: (namespace: string) => KEY_NAMES.sessions + namespace,
  sessionsOf: (namespace: string, agentId: string) => `${KEY_NAMES.sessionsOf}${namespace}/${agentId}`,
  runs: (namespace: string) => KEY_NAMES.runs + namespace,
  runsIn: (namespace: string, status: number) => `${KEY_NAMES.runsIn}${namespace}/${status}`,
  runsOf: (namespace: string, agentId: string) => `${KEY_NAMES.runsOf}${namespace}/${agentId}`,
  open: KEY_NAMES.open,
} as const;

function mix(hash: number, text: string): number {
  let mixed = hash;
  for (let index = 0; index < text.length; index += 1) mixed = Math.imul(mixed ^ text.charCodeAt(index), FNV_PRIME);
  return mixed;
}
