/** The HTTP API for agents that speak plain JSON (docs/http.md), as far as it is measured. */
import { agentId } from "../../systems/population.js";
import type { Operation, Request } from "./dialect.js";

const NOTHING = new Uint8Array();

export const WORKFLOW_ID = "sample_workflow_id";

/** The next report of an agent: active and idle in turn, at the time at which it is sent. */
export function jsonReport(agent: number, round: number): Request {
  const id = agentId(agent);
  const state = round % 2 === 1 ? "active" : "idle";
  const body = `{"agentId":"${id}","timestamp":"${new Date().toISOString()}","state":"${state}","details":{}}`;
  return { path: `/v1/opscore/agent/${id}/state`, message: Buffer.from(body, "latin1") };
}

function jsonRead(agent: number): Request {
  return { path: `/v1/opscore/agent/${agentId(agent)}/state`, message: NOTHING };
}

function jsonTrigger(agent: number): Request {
  const id = agentId(agent);
  // More than is needed is what load generators for this API send.
  const body = `{"workflowDefinitionId":"${WORKFLOW_ID}","agentId":"${id}","initialPayload":{"input":"data"},"context":{}}`;
  return { path: `/v1/opscore/agent/${id}/workflow`, message: Buffer.from(body, "latin1") };
}

/** Reports alone: each caller has an agent of its own. */
export class JsonReports implements Operation {
  private readonly rounds: number[] = [];

  request(caller: number): Request {
    const round = (this.rounds[caller] ?? 0) + 1;
    this.rounds[caller] = round;
    return jsonReport(caller, round);
  }

  isDone(_bytes: Buffer, start: number, end: number): boolean {
    return end > start;
  }
}

/** Of twenty requests of a caller, which are reads and which trigger a workflow: 15 % and 5 %. The others are reports. */
const READS: ReadonlySet<number> = new Set([3, 9, 16]);
const TRIGGER = 12;
const CYCLE = 20;

/** The mix of the users of this API. */
export class JsonMix implements Operation {
  private readonly steps: number[] = [];
  private readonly reports = new JsonReports();

  request(caller: number): Request {
    // Users are at different places of their cycle.
    const step = this.steps[caller] ?? caller;
    this.steps[caller] = step + 1;
    const place = step % CYCLE;
    if (place === TRIGGER) return jsonTrigger(caller);
    return READS.has(place) ? jsonRead(caller) : this.reports.request(caller);
  }

  isDone(_bytes: Buffer, start: number, end: number): boolean {
    return end > start;
  }
}
