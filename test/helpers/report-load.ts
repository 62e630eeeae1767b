/** Agents that report without a pause, each one report after the other, each report repeated until it is answered. */
import { setInterval } from "node:timers/promises";
import { expect } from "vitest";
import type { Awaitable } from "../../src/lib/awaitable.js";
import { State } from "../../src/storage/records.js";
import type { Storage } from "../../src/storage/storage.js";
import { attempt } from "../contract/storage/harness.js";
import { aRegistration, aReport, NAMESPACE } from "./records.js";

/** How long to wait before asking again, in milliseconds. */
const REPEAT_MS = 20;
const HISTORY_PAGE = 1_000;
/** The only reason for which a report may fail. */
const EXPECTED_FAILURE = "STORAGE_UNAVAILABLE";

export interface ReportLoadOptions {
  readonly agents: readonly string[];
  /** Each report carries a request id, so that to repeat it is safe. Without: it is made once, whatever becomes of it. */
  readonly repeats: boolean;
}

export class ReportLoad {
  /** The messages of each agent that were answered, in order. */
  private readonly acknowledged = new Map<string, string[]>();
  /** Whatever else may have been committed. */
  private readonly uncertain = new Set<string>();
  private readonly loops: Promise<void>[] = [];
  private readonly failures = new Set<string>();
  private stopped = false;
  private wake: () => void = () => undefined;
  private total = 0;

  private constructor(
    private readonly storage: Storage,
    private readonly options: ReportLoadOptions,
  ) {}

  /** Registers the agents and begins. */
  static async start(storage: Storage, options: ReportLoadOptions): Promise<ReportLoad> {
    const load = new ReportLoad(storage, options);
    await Promise.all(
      options.agents.map(async (id) => storage.registerAgent(aRegistration(id, { initialState: State.IDLE }))),
    );
    for (const agent of options.agents) load.loops.push(load.run(agent));
    return load;
  }

  /** Waits for so many further answers of each agent. */
  async answers(count: number): Promise<void> {
    const before = this.options.agents.map((agent) => this.answered(agent));
    const missing = (): boolean =>
      this.options.agents.some((agent, index) => this.answered(agent) < (before[index] ?? 0) + count);
    while (missing()) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  get commits(): number {
    return this.total;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.loops);
    expect([...this.failures]).toEqual([]);
  }

  /**
   * Every report that was answered is in the history, once, in order, and nothing else but what may have been committed without an
   * answer.
   */
  async expectKept(storage: Storage): Promise<void> {
    for (const agentId of this.options.agents) {
      const kept = await this.history(storage, agentId);
      expect(new Set(kept).size, `${agentId} has each report once`).toBe(kept.length);
      const answered = this.acknowledged.get(agentId) ?? [];
      expect(kept.filter((message) => !this.uncertain.has(message))).toEqual(answered);
      expect([...kept].sort(byNumber), `${agentId} has its reports in order`).toEqual(kept);
    }
  }

  private answered(agent: string): number {
    return this.acknowledged.get(agent)?.length ?? 0;
  }

  private async history(storage: Storage, agentId: string): Promise<readonly string[]> {
    const messages: string[] = [];
    let afterRevision = 0;
    for (;;) {
      const query = { namespace: NAMESPACE, agentId, afterRevision, limit: HISTORY_PAGE };
      const page = await whenAvailable(() => storage.readHistory(query));
      const entries = page?.entries ?? [];
      for (const { message } of entries) if (message !== "") messages.push(message);
      afterRevision = entries.at(-1)?.revision ?? afterRevision;
      if (page?.more !== true) return messages;
    }
  }

  private async run(agent: string): Promise<void> {
    const answered: string[] = [];
    this.acknowledged.set(agent, answered);
    for (let number = 1; !this.stopped; number += 1) {
      const message = `${agent} ${number}`;
      const state = number % 2 === 0 ? State.IDLE : State.ACTIVE;
      const requestId = this.options.repeats ? `report-${number}` : "";
      const isAnswered = await this.report(() =>
        this.storage.setState(aReport(agent, state, { message, sequence: number, requestId })),
      );
      if (isAnswered) {
        answered.push(message);
        this.total += 1;
      } else this.uncertain.add(message);
      this.wake();
    }
  }

  /** Answers whether it was answered in the end. */
  private async report(send: () => Awaitable<unknown>): Promise<boolean> {
    const { failure } = await attempt(this.options.repeats ? () => whenAvailable(send) : send);
    if (failure !== undefined && failure.reason !== EXPECTED_FAILURE) this.failures.add(failure.reason);
    return failure === undefined;
  }
}

/**
 * Asks again for as long as the storage is away: a storage of another replica may find the next primary later than the one that
 * answered the agents.
 */
export async function whenAvailable<T>(ask: () => Awaitable<T>): Promise<T> {
  let outcome = await attempt(ask);
  if (outcome.failure?.reason === EXPECTED_FAILURE) {
    for await (const again of setInterval(REPEAT_MS, ask)) {
      outcome = await attempt(again);
      if (outcome.failure?.reason !== EXPECTED_FAILURE) break;
    }
  }
  if (outcome.failure !== undefined) throw outcome.failure;
  return outcome.value;
}

function byNumber(a: string, b: string): number {
  return Number(a.split(" ")[1]) - Number(b.split(" ")[1]);
}
