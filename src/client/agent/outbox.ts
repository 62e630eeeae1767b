import type { JsonObject } from "@bufbuild/protobuf";
import type { State } from "../../../gen/opscore/v1/common_pb.js";

/** What a report says besides the state. */
export interface ReportContent {
  /** Why, for programs: one CamelCase word of at most 64 characters, such as `RateLimited`. */
  readonly reason?: string | undefined;
  /** Why, for people. At most 1 KiB. */
  readonly message?: string | undefined;
  /** Free data. At most 64 KiB as JSON. */
  readonly details?: JsonObject | undefined;
  /** The session that the agent works for. */
  readonly sessionId?: string | undefined;
  /** The task that the agent works on. */
  readonly taskId?: string | undefined;
}

/** One report on its way to the server. */
export interface Report {
  readonly state: State;
  readonly content: ReportContent;
  /** The agent's own count of reports, from 1. */
  readonly sequence: bigint;
  /** The same for every attempt to send this report. */
  readonly requestId: string;
  /** When the agent made it: milliseconds since 1970 by the agent's clock. */
  readonly timeMs: number;
  /** The server has it. */
  readonly accepted: () => void;
  /** The server will never have it. */
  readonly failed: (error: Error) => void;
}

/**
 * What a report says, as it is now: it may be sent much later, and whoever made it may use the same object again, for something else. What
 * cannot be copied, such as a function, is no JSON, and no reason not to report.
 */
export function asItIs(content: ReportContent): ReportContent {
  if (content.details === undefined) return { ...content };
  try {
    return { ...content, details: structuredClone(content.details) };
  } catch {
    return { ...content };
  }
}

/** A report that was given up because newer ones needed its place. */
export class ReportDroppedError extends Error {
  override readonly name = "ReportDroppedError";
}

/**
 * Reports in the order in which they were made, until the server has them. Bounded: when it is full the oldest report gives way, because
 * what an agent is doing now matters more than what it did.
 */
export class Outbox {
  private readonly waiting: Report[] = [];
  private sending: Report | undefined;
  private drained: (() => void)[] = [];

  /** @param limit how many reports may wait, besides the one that is being sent; at least 1 */
  constructor(private readonly limit: number) {}

  /** How many reports the server does not have yet. */
  get size(): number {
    return this.waiting.length + (this.sending === undefined ? 0 : 1);
  }

  /** @returns the report that gave way, if one had to */
  push(report: Report): Report | undefined {
    const dropped = this.waiting.length >= this.limit ? this.waiting.shift() : undefined;
    this.waiting.push(report);
    return dropped;
  }

  /** The oldest report. It stays the oldest until it is {@link settle}d. */
  next(): Report | undefined {
    this.sending ??= this.waiting.shift();
    return this.sending;
  }

  /** The report that {@link next} gave is done with, one way or the other. */
  settle(): void {
    this.sending = undefined;
    if (this.size > 0) return;
    for (const resolve of this.drained) resolve();
    this.drained = [];
  }

  /** Takes out what is left. */
  clear(): Report[] {
    const left = [...(this.sending === undefined ? [] : [this.sending]), ...this.waiting.splice(0)];
    this.settle();
    return left;
  }

  /** Resolves when the server has everything, or it was given up. */
  whenDrained(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => this.drained.push(resolve));
  }
}
