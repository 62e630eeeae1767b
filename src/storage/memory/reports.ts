import { agentNotFound } from "../../errors/index.js";
import type { Awaitable } from "../../lib/awaitable.js";
import { jsonEquals } from "../../lib/json.js";
import { type ReportContent, type StateRecord } from "../records.js";
import { agentMismatch, illegalTransition, staleSequence } from "../refusals.js";
import { isLegalTransition, isTerminal } from "../state-machine.js";
import type { ReportOutcome, SetState } from "../storage.js";
import type { Commits } from "./commits.js";
import type { AgentEntry, Namespaces } from "./entries.js";
import { checkIncarnation } from "./fences.js";
import type { HeldReports } from "./held-reports.js";
import type { Leases } from "./leases.js";
import { requestKey, type RequestMemory } from "./request-memory.js";
import { reportedState } from "./state-records.js";

/** Takes what agents report. */
export class Reports {
  constructor(
    private readonly namespaces: Namespaces,
    private readonly commits: Commits,
    private readonly leases: Leases,
    private readonly held: HeldReports,
    private readonly answers: RequestMemory<ReportOutcome>,
  ) {}

  set(report: SetState): Awaitable<ReportOutcome> {
    if (report.requestId !== "") {
      const answered = this.answers.recall(requestKey(report.namespace, report.agentId, report.requestId));
      if (answered !== undefined) return answered;
    }
    const entry = this.namespaces.agent(report.namespace, report.agentId);
    if (entry !== undefined) return this.answer(entry, report);
    if (report.holdMs === 0) throw agentNotFound(report.agentId);
    return this.held.hold(report);
  }

  /** Applies the reports that were held for an agent: each is a commit, or a failure, of its own. */
  applyHeld(entry: AgentEntry): void {
    for (const held of this.held.release(entry.record.namespace, entry.record.agentId)) {
      try {
        held.resolve(this.answer(entry, held.report));
      } catch (failure) {
        held.reject(failure instanceof Error ? failure : new Error(String(failure)));
      }
    }
  }

  private answer(entry: AgentEntry, report: SetState): ReportOutcome {
    const outcome = this.apply(entry, report);
    if (report.requestId !== "") {
      const key = requestKey(report.namespace, report.agentId, report.requestId);
      this.answers.remember(key, outcome, outcome.state.size);
    }
    return outcome;
  }

  private apply(entry: AgentEntry, report: SetState): ReportOutcome {
    const current = entry.state;
    checkIncarnation(entry, report.incarnation);
    if (report.sequence !== 0 && report.sequence <= entry.sequence)
      throw staleSequence(report.agentId, report.sequence, entry.sequence);
    if (!isExpected(current, report)) throw agentMismatch(report.agentId, current.state, current.revision);
    if (report.discardIfOlder && isOlder(entry, report)) return { state: current, changed: false };
    const unchanged = isSameContent(current, report);
    if (!unchanged && !isLegalTransition(current.state, report.state))
      throw illegalTransition(report.agentId, current.state, report.state);

    if (report.sequence !== 0) entry.sequence = report.sequence;
    if (report.reportTime !== undefined) this.noteReportTime(entry, report.reportTime);
    if (unchanged) {
      this.leases.renew(entry);
      return { state: entry.state, changed: false };
    }
    if (isTerminal(report.state)) this.leases.end(entry);
    else this.leases.extend(entry);
    const { commitTime, revision } = this.commits;
    const state = reportedState(current, report, entry.sequence, commitTime, revision);
    this.commits.state(entry, state);
    return { state, changed: true };
  }

  /** A reporter whose clock is fast must not silence those who report after it. */
  private noteReportTime(entry: AgentEntry, reportTime: number): void {
    if (reportTime <= entry.reportedTime) return;
    entry.reportedTime = Math.min(reportTime, this.commits.commitTime);
  }
}

function isOlder(entry: AgentEntry, { reportTime }: SetState): boolean {
  return reportTime !== undefined && reportTime < entry.reportedTime;
}

function isExpected(current: StateRecord, report: SetState): boolean {
  if (report.expectedRevision !== 0 && report.expectedRevision !== current.revision) return false;
  return report.expectedStates.length === 0 || report.expectedStates.includes(current.state);
}

function isSameContent(a: ReportContent, b: ReportContent): boolean {
  return (
    a.state === b.state &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.sessionId === b.sessionId &&
    a.taskId === b.taskId &&
    jsonEquals(a.details, b.details)
  );
}
