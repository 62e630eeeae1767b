import type { Command } from "commander";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { SetStateResponseSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import { errorReason } from "../../client/index.js";
import { formatDuration } from "../../config/units.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { REQUEST_ID } from "../common-flags.js";
import { implementCall, type ClientContext } from "../connection.js";
import { listed, optional, required } from "../flags.js";
import { given } from "../given.js";
import { anyText, duration, int64, jsonObject } from "../readers.js";
import { printable } from "../text/printable.js";
import { printState } from "../views/agents.js";
import { stateWord } from "../words.js";

const MAX_HOLD_MS = 60_000;
/** The server's, when a report names none. */
const DEFAULT_HOLD_MS = 5_000;
/** Somebody who sits before a terminal that says nothing for longer begins to wonder. */
const PATIENCE_MS = 1_000;

/** `opscore state set` */
export function defineSet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Report the state of an agent",
    details:
      "A report for an agent that is not registered yet is held and applied when it registers. --expect and --if-revision make the report conditional: exit code 4 when the condition does not hold.",
    examples: [
      ["opscore state set writer-1 active --message drafting --details '{\"page\":3}'", "what it does, and on what"],
      ["opscore state set writer-1 idle --expect active,error", "only if it was at work or had failed"],
    ],
    positionals: {
      agentId: required("agent-id", "the agent", anyText),
      state: required("state", "its new state", stateWord),
    },
    flags: {
      reason: optional("--reason <Word>", "why, for programs: one CamelCase word", anyText),
      message: optional("-m, --message <text>", "why, for people", anyText),
      details: optional("--details <json>", "free data: a JSON object, @FILE, or - for standard input", jsonObject),
      sessionId: optional("--session-id <id>", "the session that the agent works for", anyText),
      taskId: optional("--task-id <id>", "the task that the agent works on", anyText),
      expectedStates: listed("--expect <state>", "only if it is in this state", stateWord),
      expectedRevision: optional("--if-revision <number>", "only if its state has this revision", int64),
      incarnation: optional("--incarnation <number>", "only if no later incarnation was registered", int64),
      sequence: optional("--sequence <number>", "only if no later report was accepted", int64),
      hold: optional(
        "--wait-for-registration <duration>",
        `how long to hold it for an agent that is not registered; 0: not at all (default: ${formatDuration(DEFAULT_HOLD_MS)})`,
        duration(0, MAX_HOLD_MS),
      ),
      requestId: REQUEST_ID,
    },
    async run({ expectedStates, hold, ...rest }, context) {
      const { client, io, out, err, json, signal } = context;
      const request = {
        ...given(rest),
        expectedStates: [...expectedStates],
        ...(hold === undefined ? {} : { waitForRegistration: durationFromMs(hold) }),
      };
      const answered = sayWhileHeld(context, rest.agentId, hold ?? DEFAULT_HOLD_MS);
      const answer = await client.states.setState(request, { signal }).finally(answered);
      if (json) {
        out.json(apiJson(SetStateResponseSchema, answer));
      } else if (answer.state !== undefined) {
        printState(out, answer.state, io.scheduler.now());
        err.line([
          answer.changed
            ? { text: "reported", look: "green" }
            : { text: "nothing new: no event was made", look: "dim" },
        ]);
      }
      return undefined;
    },
  });
}

/**
 * Tells a person that the report is held, and why: the id of an agent is soon misspelt, and until the hold is over nothing else would
 * be seen.
 *
 * @returns to be called when the report was answered
 */
function sayWhileHeld({ client, io, err, json }: ClientContext, agentId: string, holdMs: number): () => void {
  if (json || !err.forPeople) return () => undefined;
  const answered = new AbortController();

  // A report may also be late because the server is; so the server is asked.
  async function look(): Promise<void> {
    try {
      await client.states.getState({ agentId }, { signal: answered.signal });
    } catch (error) {
      if (answered.signal.aborted || errorReason(error) !== "AGENT_NOT_FOUND") return;
      const most = `at most ${formatDuration(holdMs)} (--wait-for-registration)`;
      err.line([
        { text: `agent ${printable(agentId)} is not registered: waiting until it is, for ${most}`, look: "yellow" },
      ]);
    }
  }

  const cancel = io.scheduler.after(PATIENCE_MS, () => void look());
  return () => {
    cancel();
    answered.abort();
  };
}
