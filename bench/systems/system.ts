import type { Memory, ServerOptions, SystemName } from "../scenario.js";

/** A server of some kind that can be measured. */
export interface System {
  readonly name: SystemName;
  /** What it is, for those who read the figures. */
  readonly title: string;
  /** Why it cannot be measured here; undefined when it can. */
  missing(): string | undefined;
  start(options: ServerOptions): Promise<RunningSystem>;
}

export interface RunningSystem {
  readonly host: string;
  /** Of its replicas, the first one first. */
  readonly ports: readonly number[];
  /** The process of the first replica. */
  readonly pid: number;
  /** What it uses once its garbage is collected. */
  memory(): Promise<Memory>;
  stop(): Promise<void>;
}
