/**
 * A storage as simple as can be, to hold real ones against: it looks at everything each time, and knows the design's rules by its
 * own words, not by the product's tables.
 */
import type { Reason } from "../../../src/errors/index.js";

export const STATE_WORDS = ["UNKNOWN", "INITIALIZING", "IDLE", "ACTIVE", "ERROR", "FINISHED"] as const;
export type StateWord = (typeof STATE_WORDS)[number];
export const STATUS_WORDS = ["STARTED", "RUNNING", "PAUSED", "COMPLETED", "FAILED", "CANCELLED"] as const;
export type StatusWord = (typeof STATUS_WORDS)[number];

const LEGAL_STATES: Readonly<Record<StateWord, string>> = {
  UNKNOWN: "UNKNOWN INITIALIZING IDLE ACTIVE ERROR FINISHED",
  INITIALIZING: "INITIALIZING IDLE ACTIVE ERROR FINISHED",
  IDLE: "IDLE ACTIVE ERROR FINISHED INITIALIZING",
  ACTIVE: "ACTIVE IDLE ERROR FINISHED INITIALIZING",
  ERROR: "ERROR INITIALIZING IDLE ACTIVE FINISHED",
  FINISHED: "",
};

const LEGAL_STATUSES: Readonly<Record<StatusWord, string>> = {
  STARTED: "STARTED RUNNING PAUSED COMPLETED FAILED CANCELLED",
  RUNNING: "RUNNING PAUSED COMPLETED FAILED CANCELLED",
  PAUSED: "PAUSED RUNNING COMPLETED FAILED CANCELLED",
  COMPLETED: "",
  FAILED: "",
  CANCELLED: "",
};

export interface ModelReport {
  readonly id: string;
  readonly state: StateWord;
  readonly message: string;
  readonly incarnation: number;
  readonly sequence: number;
  readonly expectedStates: readonly StateWord[];
  /** Long before the model's time began. */
  readonly reportTime: number;
  readonly discardIfOlder: boolean;
}

interface ModelAgent {
  incarnation: number;
  state: StateWord;
  message: string;
  sequence: number;
  reportTimes: number[];
  liveness: "ALIVE" | "SUSPECT" | "LOST";
  version: string;
  leaseMs: number;
  renewedAt: number;
}

/** What a command must answer: a reason to fail, or nothing. */
export type Expectation = Reason | undefined;
/** What a report must answer; HELD: nothing yet. */
export type ReportExpectation = Reason | "CHANGED" | "UNCHANGED" | "HELD";

export class StorageModel {
  readonly agents = new Map<string, ModelAgent>();
  readonly sessions = new Map<string, StatusWord>();
  /** The changes of each entity, as `describeChange` tells them. */
  readonly events: string[] = [];
  private readonly incarnations = new Map<string, number>();
  private held: { readonly report: ModelReport; settle: (outcome: ReportExpectation) => void }[] = [];
  private now = 0;

  /** The incarnation that the agent has, or had last; 0: never registered. */
  incarnationOf(id: string): number {
    return this.incarnations.get(id) ?? 0;
  }

  register(id: string, state: StateWord, leaseMs: number, keepState: boolean, version: string): void {
    const agent = this.agents.get(id);
    if (agent !== undefined && keepState) {
      this.setVersion(id, agent, version);
      return;
    }
    const incarnation = this.incarnationOf(id) + 1;
    this.incarnations.set(id, incarnation);
    const fresh = { incarnation, state, message: "", sequence: 0, reportTimes: [], version, leaseMs };
    this.agents.set(id, { ...fresh, liveness: "ALIVE", renewedAt: this.now });
    this.events.push(`REGISTERED ${id}: ${agent === undefined ? "" : `${agent.state}>`}${state}`);
    const waiting = this.held.filter(({ report }) => report.id === id);
    this.held = this.held.filter(({ report }) => report.id !== id);
    for (const { report, settle } of waiting) settle(this.report(report));
  }

  deregister(id: string, incarnation: number): Expectation {
    const refusal = this.fence(id, incarnation);
    if (refusal !== undefined) return refusal;
    this.agents.delete(id);
    this.events.push(`DEREGISTERED ${id}`);
    return undefined;
  }

  update(id: string, version: string): Expectation {
    const agent = this.agents.get(id);
    if (agent === undefined) return "AGENT_NOT_FOUND";
    this.setVersion(id, agent, version);
    return undefined;
  }

  renew(id: string, incarnation: number): Expectation {
    const refusal = this.fence(id, incarnation);
    const agent = this.agents.get(id);
    if (refusal !== undefined || agent === undefined) return refusal;
    this.renewLease(id, agent);
    return undefined;
  }

  report(report: ModelReport): ReportExpectation {
    const { id, state, message, sequence, expectedStates } = report;
    const refusal = this.fence(id, report.incarnation);
    const agent = this.agents.get(id);
    if (refusal !== undefined) return refusal;
    if (agent === undefined) return "AGENT_NOT_FOUND";
    if (sequence !== 0 && sequence <= agent.sequence) return "STALE_SEQUENCE";
    if (expectedStates.length > 0 && !expectedStates.includes(agent.state)) return "STATE_MISMATCH";
    if (report.discardIfOlder && agent.reportTimes.some((time) => time > report.reportTime)) return "UNCHANGED";
    const changes = state !== agent.state || message !== agent.message;
    if (changes && !LEGAL_STATES[agent.state].split(" ").includes(state)) return "ILLEGAL_TRANSITION";
    if (sequence !== 0) agent.sequence = sequence;
    agent.reportTimes.push(report.reportTime);
    if (!changes) {
      this.renewLease(id, agent);
      return "UNCHANGED";
    }
    const revived = agent.liveness === "ALIVE" ? "" : ` ${agent.liveness}>ALIVE`;
    this.events.push(`TRANSITION ${id}: ${agent.state}>${state}${revived}`);
    Object.assign(agent, { state, message, liveness: "ALIVE", renewedAt: this.now });
    return "CHANGED";
  }

  /** A report that may be held; `settle` gets what becomes of one that is. */
  reportOrHold(report: ModelReport, settle: (outcome: ReportExpectation) => void): ReportExpectation {
    if (this.agents.has(report.id)) return this.report(report);
    this.held.push({ report, settle });
    return "HELD";
  }

  advance(ms: number): void {
    this.now += ms;
  }

  sweep(): { readonly suspected: number; readonly lost: number; readonly braked: number } {
    let suspected = 0;
    let lost = 0;
    for (const [id, agent] of this.agents) {
      if (agent.leaseMs === 0 || agent.state === "FINISHED") continue;
      const silent = this.now - agent.renewedAt;
      if (agent.liveness === "ALIVE" && silent >= agent.leaseMs) {
        this.setLiveness(id, agent, "SUSPECT");
        suspected += 1;
      }
      if (agent.liveness === "SUSPECT" && silent >= 1.5 * agent.leaseMs) {
        this.setLiveness(id, agent, "LOST");
        lost += 1;
      }
    }
    return { suspected, lost, braked: 0 };
  }

  startSession(sessionId: string, agentId: string): Expectation {
    if (!this.agents.has(agentId)) return "AGENT_NOT_FOUND";
    if (this.sessions.has(sessionId)) return "SESSION_ALREADY_EXISTS";
    this.sessions.set(sessionId, "STARTED");
    this.events.push(`STARTED ${sessionId}: STARTED`);
    return undefined;
  }

  updateSession(sessionId: string, status: StatusWord): Expectation {
    const before = this.sessions.get(sessionId);
    if (before === undefined) return "SESSION_NOT_FOUND";
    if (LEGAL_STATUSES[before] === "") return "SESSION_ENDED";
    if (!LEGAL_STATUSES[before].split(" ").includes(status)) return "ILLEGAL_TRANSITION";
    if (before === status) return undefined;
    this.sessions.set(sessionId, status);
    this.events.push(`${LEGAL_STATUSES[status] === "" ? "ENDED" : "UPDATED"} ${sessionId}: ${before}>${status}`);
    return undefined;
  }

  private fence(id: string, incarnation: number): Expectation {
    const agent = this.agents.get(id);
    if (agent === undefined) return "AGENT_NOT_FOUND";
    if (incarnation === 0 || incarnation === agent.incarnation) return undefined;
    return incarnation < agent.incarnation ? "STALE_INCARNATION" : "UNKNOWN_INCARNATION";
  }

  private renewLease(id: string, agent: ModelAgent): void {
    agent.renewedAt = this.now;
    if (agent.liveness !== "ALIVE") this.setLiveness(id, agent, "ALIVE");
  }

  private setLiveness(id: string, agent: ModelAgent, liveness: ModelAgent["liveness"]): void {
    this.events.push(`LIVENESS ${id}: ${agent.liveness}>${liveness}`);
    agent.liveness = liveness;
  }

  private setVersion(id: string, agent: ModelAgent, version: string): void {
    if (agent.version === version) return;
    agent.version = version;
    this.events.push(`UPDATED ${id}`);
  }
}
