import type { ReportOutcome, SetState } from "../storage.js";
import { failureOfResult, type Commands } from "./commands.js";
import { decodeState } from "./decode.js";
import { encodeReport } from "./encode.js";
import { agentRefusal } from "./failures.js";
import { HeldReports } from "./held-reports.js";
import type { RedisStorageSettings } from "./options.js";

/** How a script says that it holds a report. */
const HELD = "H";
const NOT_HELD = ["0", ""] as const;

/** Takes what agents report. */
export class Reports {
  readonly held: HeldReports;

  constructor(
    private readonly commands: Commands,
    private readonly settings: Pick<RedisStorageSettings, "maxHeldReports" | "maxHeldBytes">,
  ) {
    this.held = new HeldReports(commands, settings, (result, report) => this.outcome(result, report));
  }

  async set(report: SetState): Promise<ReportOutcome> {
    const { namespace, agentId } = report;
    const { keys, turn } = this.commands;
    const meta = keys.meta(keys.partitionOf(namespace, agentId));
    if (report.holdMs === 0) {
      return this.outcome(await turn.add("R", meta, namespace, agentId, ...encodeReport(report), ...NOT_HELD), report);
    }
    const hold = this.held.reserve(report);
    try {
      const held = [String(hold.holdMs), hold.heldId];
      const result = await turn.add("R", meta, namespace, agentId, ...encodeReport(report), ...held);
      if (result === HELD) return await this.held.wait(hold);
      if (hold.shortage !== undefined && result.startsWith('["TOO_MANY"')) throw hold.shortage;
      return this.outcome(result, report);
    } finally {
      this.held.release(hold);
    }
  }

  private outcome(result: string, report: SetState): ReportOutcome {
    const { namespace, agentId } = report;
    const kind = result[0];
    if (kind === "[") throw agentRefusal(result, report);
    if (kind !== "0" && kind !== "1") throw failureOfResult(result);
    const { keys } = this.commands;
    const key = keys.agent(keys.partitionOf(namespace, agentId), namespace, agentId);
    return { state: decodeState(result.slice(1), { namespace, id: agentId, key }), changed: kind === "1" };
  }
}
