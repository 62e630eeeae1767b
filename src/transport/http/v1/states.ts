/**
 * What agents report, and what is known of them.
 *
 * Agents of this API do not know the state machine: none of their reports is refused for what the agent was doing before. What
 * becomes of one that leaves FINISHED, that was overtaken, or whose state is a word that nobody knows is decided here, and
 * docs/http.md says it for users.
 */
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  GetAgentResponseSchema,
  type GetAgentResponse,
  type RegisterAgentRequest,
} from "../../../../gen/opscore/v1/agent_service_pb.js";
import { State, type Agent, type AgentState } from "../../../../gen/opscore/v1/common_pb.js";
import { GetStateResponseSchema, type SetStateRequest } from "../../../../gen/opscore/v1/state_service_pb.js";
import { agentNotFound, OpsCoreError, type Reason } from "../../../errors/index.js";
import { chain, isPromise, type Awaitable } from "../../../lib/awaitable.js";
import type { Clock } from "../../../lib/clock.js";
import type { JsonObject } from "../../../lib/json.js";
import { parseTime } from "../../../lib/time.js";
import type { Services } from "../../../services/index.js";
import { isId } from "../../../services/validation/index.js";
import { toStruct, toTimestamp } from "../../../services/wire/index.js";
import type { HttpCall } from "../call.js";
import { Faults, Fields, type Loc } from "../faults.js";
import { readJsonObject } from "../json-body.js";
import { badRequest } from "../refusal.js";
import { answer, type HttpAnswer } from "../routes.js";

/** Where the fields of a SetStateRequest stand in the body. */
export const REPORT_PLACES: Readonly<Record<string, Loc>> = {
  agent_id: ["body", "agentId"],
  report_time: ["body", "timestamp"],
  details: ["body", "details"],
};

const ACCEPTED: HttpAnswer = answer(202, { status: "success", message: "State update accepted" });

const STATES: ReadonlyMap<string, State> = new Map([
  ["initializing", State.INITIALIZING],
  ["idle", State.IDLE],
  ["active", State.ACTIVE],
  ["error", State.ERROR],
  ["finished", State.FINISHED],
]);
const WORDS: ReadonlyMap<State, string> = new Map([...STATES].map(([word, state]) => [state, word]));

/** How often a report is tried again after its agent changed under it. Each time somebody else has made progress. */
const MAX_ATTEMPTS = 20;
const MAX_REASON = 64;
/** A word that is not a state is kept up to this length. */
const MAX_WORD = 100;

interface Report {
  readonly agentId: string;
  readonly word: string;
  /** When the agent made it, by its own clock, or when it came, where that cannot be read; milliseconds since 1970. */
  readonly time: number;
  readonly details: JsonObject | undefined;
}

export class StateRoutes {
  constructor(
    private readonly services: Pick<Services, "agents" | "states">,
    private readonly clock: Pick<Clock, "now">,
  ) {}

  /** Takes a report. @throws Refusal; what SetState throws but for ILLEGAL_TRANSITION */
  report(call: HttpCall, body: Buffer): Awaitable<HttpAnswer> {
    const report = this.readReport(call, body);
    const state = STATES.get(report.word) ?? STATES.get(report.word.toLowerCase());
    if (state === undefined) return this.recordWord(call, report);
    const request = call.calls(toRequest(report, state));
    const refused = (thrown: unknown): Promise<HttpAnswer> => {
      if (isRefusedFor("ILLEGAL_TRANSITION", thrown)) return this.reportFinished(call, request);
      throw thrown;
    };
    try {
      const outcome = this.services.states.setState(request, call);
      return isPromise(outcome) ? outcome.then(accepted, refused) : ACCEPTED;
    } catch (thrown) {
      return refused(thrown);
    }
  }

  /** Answers with a state. @throws AGENT_NOT_FOUND */
  read(call: HttpCall): Awaitable<HttpAnswer> {
    const agentId = call.params[0] ?? "";
    if (!isId(agentId)) throw agentNotFound(agentId);
    return chain(this.stateOf(call, agentId), (state) =>
      answer(200, {
        agentId,
        state: WORDS.get(state.state) ?? "UNKNOWN",
        details: state.details ?? null,
        timestamp: timeOf(state),
      }),
    );
  }

  private readReport(call: HttpCall, body: Buffer): Report {
    const faults = new Faults();
    const fields = new Fields(faults, readJsonObject(body, call.get("content-type") ?? undefined), ["body"]);
    const agentId = fields.text("agentId");
    if (agentId !== "" && !isId(agentId)) {
      fields.fault("agentId", "Value error, must be 1 to 128 characters of [A-Za-z0-9._:-]", "value_error");
    }
    const timestamp = fields.text("timestamp");
    const word = fields.text("state");
    const details = fields.optionalObject("details");
    faults.throwIfAny();
    if (agentId !== call.params[0]) throw badRequest("Agent ID in path does not match agent ID in payload");
    return { agentId, word, time: parseTime(timestamp) ?? this.clock.now(), details };
  }

  /**
   * Takes a report of an agent that is FINISHED, which only a registration ends. The agents of this API register once, with
   * AgentKit, and go on to work after they have finished: one that reports anything else has begun anew, so it gets its next
   * incarnation, as it would by registering. That it is finished, once more and with other details, changes nothing.
   */
  private async reportFinished(call: HttpCall, request: SetStateRequest): Promise<HttpAnswer> {
    if (request.state === State.FINISHED) return ACCEPTED;
    const { agents, states } = this.services;
    return this.insist("ILLEGAL_TRANSITION", async () => {
      const { agent } = await this.agentOf(call, request.agentId);
      if (agent?.state?.state === State.FINISHED) {
        await agents.registerAgent(nextIncarnation(agent), call);
      }
      await states.setState(request, call);
    });
  }

  /** Takes a report whose state is a word that nobody knows: the state stays, and the word becomes the reason. */
  private recordWord(call: HttpCall, report: Report): Promise<HttpAnswer> {
    const named = call.calls({ ...toRequest(report, State.UNKNOWN), ...naming(report.word) });
    return this.insist("STATE_MISMATCH", async () => {
      const known = await this.knownState(call, report.agentId);
      // Nothing can be added to it.
      if (known?.state === State.FINISHED) return;
      const unchanged =
        known === undefined
          ? { expectedStates: [State.UNKNOWN] }
          : { state: known.state, expectedRevision: known.revision };
      await this.services.states.setState({ ...named, ...unchanged }, call);
    });
  }

  /** Tries until it is not refused any more for what has changed in between. */
  private async insist(refusal: Reason, attempt: () => Promise<void>): Promise<HttpAnswer> {
    for (let left = MAX_ATTEMPTS; ; left -= 1) {
      try {
        await attempt();
        return ACCEPTED;
      } catch (thrown) {
        if (left === 0 || !isRefusedFor(refusal, thrown)) throw thrown;
      }
    }
  }

  /** @throws AGENT_NOT_FOUND */
  private stateOf(call: HttpCall, agentId: string): Awaitable<AgentState> {
    const request = call.calls({ $typeName: "opscore.v1.GetStateRequest" as const, agentId });
    return chain(this.services.states.getState(request, call), (response) => {
      const { state } = create(GetStateResponseSchema, response);
      if (state === undefined) throw agentNotFound(agentId);
      return state;
    });
  }

  private async knownState(call: HttpCall, agentId: string): Promise<AgentState | undefined> {
    try {
      return await this.stateOf(call, agentId);
    } catch (thrown) {
      if (isRefusedFor("AGENT_NOT_FOUND", thrown)) return undefined;
      throw thrown;
    }
  }

  /** Without an agent when it was deregistered. */
  private async agentOf(call: HttpCall, agentId: string): Promise<Partial<GetAgentResponse>> {
    try {
      const request = { $typeName: "opscore.v1.GetAgentRequest" as const, agentId };
      return create(GetAgentResponseSchema, await this.services.agents.getAgent(request, call));
    } catch (thrown) {
      if (isRefusedFor("AGENT_NOT_FOUND", thrown)) return {};
      throw thrown;
    }
  }
}

/** Registers an agent as it is. Of several reports that find it finished, one makes the next incarnation. */
function nextIncarnation(agent: Agent): RegisterAgentRequest {
  return {
    $typeName: "opscore.v1.RegisterAgentRequest",
    agentId: agent.agentId,
    displayName: agent.displayName,
    version: agent.version,
    capabilities: agent.capabilities,
    contactEndpoint: agent.contactEndpoint,
    labels: agent.labels,
    metadata: agent.metadata,
    leaseTtl: agent.leaseTtl,
    maxConcurrentTasks: agent.maxConcurrentTasks,
    taskDelivery: agent.taskDelivery,
    initialState: State.UNKNOWN,
    keepState: false,
    requestId: `after-finished-${agent.incarnation}`,
  };
}

function accepted(): HttpAnswer {
  return ACCEPTED;
}

function isRefusedFor(reason: Reason, thrown: unknown): boolean {
  return thrown instanceof OpsCoreError && thrown.reason === reason;
}

function toRequest({ agentId, time, details }: Report, state: State): SetStateRequest {
  return {
    $typeName: "opscore.v1.SetStateRequest",
    agentId,
    state,
    reason: "",
    message: "",
    details: toStruct(details),
    sessionId: idIn(details, "opscore_session_id"),
    taskId: idIn(details, "opscore_task_id"),
    incarnation: 0n,
    sequence: 0n,
    reportTime: toTimestamp(time),
    expectedStates: [],
    expectedRevision: 0n,
    requestId: "",
    discardIfOlder: true,
  };
}

/** The id by which an agent marks what it reports about; empty when there is none. */
function idIn(details: JsonObject | undefined, name: string): string {
  const value = details?.[name];
  return typeof value === "string" && isId(value) ? value : "";
}

/** A word as a reason, which is in CamelCase, and as it was. */
function naming(word: string): { readonly reason: string; readonly message: string } {
  const parts = word.match(/[A-Za-z0-9]+/g) ?? [];
  const joined = parts.map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("");
  const reason = /^[A-Z]/.test(joined) ? joined : `State${joined}`;
  return { reason: reason.slice(0, MAX_REASON), message: `reported as ${JSON.stringify(word.slice(0, MAX_WORD))}` };
}

/** When the state was reported; of one that nobody reported, when it began. */
function timeOf({ reportTime, commitTime }: AgentState): string {
  const time = reportTime ?? commitTime;
  return new Date(time === undefined ? 0 : timestampMs(time)).toISOString();
}
