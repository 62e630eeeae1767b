import { agentNotFound, serverStopping } from "../../errors/index.js";
import { tooManyHeld } from "../refusals.js";
import { stateSize } from "../sizes.js";
import type { ReportOutcome, SetState } from "../storage.js";
import { requestKey } from "./request-memory.js";

export interface HeldReportLimits {
  readonly perAgent: number;
  readonly inAll: number;
  readonly bytes: number;
}

/** A report that waits for its agent's registration. */
export interface HeldReport {
  readonly report: SetState;
  resolve(outcome: ReportOutcome): void;
  reject(reason: Error): void;
}

interface Waiting extends HeldReport {
  readonly bytes: number;
  readonly outcome: Promise<ReportOutcome>;
  readonly timer: NodeJS.Timeout;
}

/** Reports of agents that are not registered yet, in arrival order for each agent. */
export class HeldReports {
  private readonly byAgent = new Map<string, Set<Waiting>>();
  private readonly byRequest = new Map<string, Waiting>();
  private count = 0;
  private bytes = 0;

  constructor(private readonly limits: HeldReportLimits) {}

  /** How many wait. */
  get size(): number {
    return this.count;
  }

  /**
   * Holds a report up to its `holdMs`; a repeat of one that is held joins it.
   *
   * @returns what becomes of it; AGENT_NOT_FOUND when its time runs out
   * @throws TOO_MANY
   */
  hold(report: SetState): Promise<ReportOutcome> {
    const first = report.requestId === "" ? undefined : this.byRequest.get(keyOfRequest(report));
    if (first !== undefined) return first.outcome;

    const bytes = stateSize(report.agentId, report, report.actor);
    const agentKey = keyOfAgent(report.namespace, report.agentId);
    const waiting = this.byAgent.get(agentKey) ?? new Set<Waiting>();
    if (waiting.size >= this.limits.perAgent)
      throw tooManyHeld(this.limits.perAgent, `reports wait for ${report.agentId}`);
    if (this.count >= this.limits.inAll) throw tooManyHeld(this.limits.inAll, "reports wait for registrations");
    if (this.bytes + bytes > this.limits.bytes)
      throw tooManyHeld(this.limits.bytes, "bytes of reports wait for registrations");

    const held = startWaiting(report, bytes, () => {
      this.remove(agentKey, held);
      held.reject(agentNotFound(report.agentId));
    });
    this.byAgent.set(agentKey, waiting.add(held));
    if (report.requestId !== "") this.byRequest.set(keyOfRequest(report), held);
    this.count += 1;
    this.bytes += bytes;
    return held.outcome;
  }

  /** Hands over the reports that wait for an agent, in arrival order. The caller answers them. */
  release(namespace: string, agentId: string): readonly HeldReport[] {
    const agentKey = keyOfAgent(namespace, agentId);
    const released = [...(this.byAgent.get(agentKey) ?? [])];
    for (const held of released) this.remove(agentKey, held);
    return released;
  }

  close(): void {
    for (const [agentKey, waiting] of this.byAgent) {
      for (const held of waiting) {
        this.remove(agentKey, held);
        held.reject(serverStopping());
      }
    }
  }

  private remove(agentKey: string, held: Waiting): void {
    clearTimeout(held.timer);
    const waiting = this.byAgent.get(agentKey);
    waiting?.delete(held);
    if (waiting?.size === 0) this.byAgent.delete(agentKey);
    if (held.report.requestId !== "") this.byRequest.delete(keyOfRequest(held.report));
    this.count -= 1;
    this.bytes -= held.bytes;
  }
}

function startWaiting(report: SetState, bytes: number, onTimeout: () => void): Waiting {
  let resolve: HeldReport["resolve"] = () => undefined;
  let reject: HeldReport["reject"] = () => undefined;
  const outcome = new Promise<ReportOutcome>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { report, bytes, outcome, resolve, reject, timer: setTimeout(onTimeout, report.holdMs).unref() };
}

function keyOfAgent(namespace: string, agentId: string): string {
  return `${namespace}\0${agentId}`;
}

function keyOfRequest(report: SetState): string {
  return requestKey(report.namespace, report.agentId, report.requestId);
}
