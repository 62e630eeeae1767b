/**
 * What a scenario is. The harness runs them and knows nothing of what they measure.
 *
 * A scenario is a list of cases: the same load against different systems, or different loads against one. All its cases are open
 * at the same time and are measured in turns, so that what else happens on the machine happens to all of them alike.
 */

/** What a server can be asked to be. Those that take commits and have watchers: */
export const STATE_SYSTEMS = ["opscore", "connect", "grpc-js", "floor", "etcd"] as const;
export const SYSTEMS = [...STATE_SYSTEMS, "redis"] as const;
export type SystemName = (typeof SYSTEMS)[number];

/** What is in the server before anything is measured. */
export interface ServerOptions {
  /** How many agents are registered, IDLE: `agent-000000`, `agent-000001` … */
  readonly agents?: number | undefined;
  /** How many transitions each of them has made. */
  readonly transitions?: number | undefined;
  /** Their lease, in milliseconds; default none. */
  readonly leaseTtlMs?: number | undefined;
  /** Where the state is kept; default in memory. In Redis: in one that is started for this server. */
  readonly storage?: "memory" | "redis" | undefined;
  /** How many servers share it; default 1. */
  readonly replicas?: number | undefined;
}

export interface Case {
  /** Unique in its scenario. */
  readonly name: string;
  /** What it runs against; undefined: it starts what it measures itself. */
  readonly system: SystemName | undefined;
  readonly server?: ServerOptions;
  /** Connects, and warms up. Called in the load process. */
  open(target: Target, pace: Pace): Promise<Load>;
}

/** What must be installed for a case. */
export function needs({ system, server }: Case): readonly SystemName[] {
  return [...(system === undefined ? [] : [system]), ...(server?.storage === "redis" ? (["redis"] as const) : [])];
}

/** What a process uses, in bytes. */
export interface Memory {
  /** All of it that is in RAM, with what it keeps free for itself. */
  readonly resident: number;
  /** What the objects of a Node process take. */
  readonly live?: number | undefined;
}

/** Where the load goes. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** The ports of all replicas, of which that is the first. */
  readonly ports: readonly number[];
  readonly system: SystemName | undefined;
  /** How many agents it was filled with. */
  readonly agents: number;
  /** The process of the server; undefined when there is none. */
  readonly pid: number | undefined;
  /** Lets the server collect its garbage, and answers with what it then uses. */
  memory(): Promise<Memory>;
}

/** How much is wanted. */
export interface Pace {
  /** For how long one sample is measured, in seconds. */
  readonly seconds: number;
  /** How many operations come before the first one that counts. */
  readonly warmUp: number;
  /** What large numbers (watchers, agents) are multiplied by; 1 except in a quick run. */
  readonly scale: number;
}

/** A load that is connected and warm. */
export interface Load {
  /** @throws when the server did not do what it should: a figure of a failing server is worth nothing */
  measure(): Promise<Sample>;
  close(): Promise<void>;
}

/** What one measurement gave. */
export type Sample = Readonly<Partial<Record<Metric, number>>>;

export const METRICS = {
  rate: "per second",
  cpuUs: "µs of CPU each",
  p50Ms: "ms, median",
  p99Ms: "ms, 99th percentile",
  ms: "ms",
  bytes: "bytes each",
} as const;
export type Metric = keyof typeof METRICS;

/** Something that must hold of the figures of one run. */
export interface Claim {
  readonly what: string;
  readonly metric: Metric;
  /** A case by its name. */
  readonly of: string;
  /** What it is divided by; without it the figure itself is judged. */
  readonly against?: string;
  readonly sense: "at least" | "at most";
  readonly target: number;
  /** What would be even better. */
  readonly goal?: number;
}

export interface Scenario {
  /** A few words with hyphens, for `--only`. */
  readonly name: string;
  readonly title: string;
  /** How it is measured, for those who read the figures. */
  readonly description: string;
  readonly cases: readonly Case[];
  readonly claims: readonly Claim[];
  /** Samples of each case; default 5, or 2 in a quick run. Memory is measured once. */
  readonly repetitions?: number;
  /** So many times as many samples: what is looked for is small beside what a machine's neighbours do. */
  readonly patience?: number;
}

/** How many samples are taken of each case. @param usual for a scenario that says nothing of it */
export function samplesOf({ repetitions, patience = 1 }: Scenario, usual: number): number {
  return repetitions ?? usual * patience;
}
