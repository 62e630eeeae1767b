import type { Command } from "commander";
import { Code, ConnectError } from "@connectrpc/connect";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { WaitForStateResponseSchema, WaitOutcome } from "../../../gen/opscore/v1/state_service_pb.js";
import type { WaitCondition } from "../../client/index.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { implementLasting, type ClientContext } from "../connection.js";
import { EXIT_CODES, type Exit } from "../exit-codes.js";
import type { Problem } from "../failure.js";
import { listed, optional, refuse, required, rest, toggle } from "../flags.js";
import { anyText, duration, int64 } from "../readers.js";
import { printable } from "../text/printable.js";
import type { Look } from "../text/style.js";
import { stateRich } from "../views/looks.js";
import { enumName } from "../../lib/enum-name.js";
import { stateWord } from "../words.js";

const WEEK_MS = 7 * 86_400_000;

const ENDINGS: Readonly<Record<WaitOutcome, { readonly exit: Exit; readonly look: Look }>> = {
  [WaitOutcome.UNSPECIFIED]: { exit: "FAILURE", look: "red" },
  [WaitOutcome.REACHED]: { exit: "OK", look: "green" },
  [WaitOutcome.FAILED]: { exit: "WAIT_FAILED", look: "red" },
  [WaitOutcome.LOST]: { exit: "WAIT_LOST", look: "red" },
  [WaitOutcome.DEREGISTERED]: { exit: "WAIT_DEREGISTERED", look: "red" },
};

/** `opscore state wait` */
export function defineWait(command: Command, host: Host): void {
  implementLasting(command, host, {
    summary: "Wait until an agent is in one of some states",
    details:
      "The agent need not exist yet. A wait outlives restarts of the server and misses no state, however short. " +
      `Exit codes: 0 reached, ${EXIT_CODES.TIMEOUT.code} the time ran out, ${EXIT_CODES.WAIT_FAILED.code} a state of --fail-on, ` +
      `${EXIT_CODES.WAIT_LOST.code} lost, ${EXIT_CODES.WAIT_DEREGISTERED.code} deregistered.`,
    examples: [
      ["opscore state wait writer-1 idle --timeout 30s", "half a minute to become free"],
      ["opscore state wait writer-1 finished --fail-on error --fail-on-lost", "to its end, whichever it is"],
    ],
    positionals: {
      agentId: required("agent-id", "the agent", anyText),
      states: rest("state", "any of these ends the wait", stateWord, 1),
    },
    flags: {
      failStates: listed("--fail-on <state>", "give up when the agent gets into this state", stateWord),
      failOnLost: toggle("--fail-on-lost", "give up when the agent is, or becomes, lost"),
      afterRevision: optional(
        "--after-revision <number>",
        "look only at what came after this revision, but at all of it",
        int64,
      ),
      timeoutMs: optional(
        "--timeout <duration>",
        "how long to wait (default: as long as it takes)",
        duration(1, WEEK_MS),
      ),
    },
    async run({ timeoutMs, ...condition }, context) {
      const { client, out, json, signal } = context;
      refuse(contradictions(condition));
      await assertReachable(context, condition.agentId);
      const answer = await client.waitForState(condition, { timeoutMs, signal });
      const { exit, look } = ENDINGS[answer.outcome];
      if (json) {
        out.json(apiJson(WaitForStateResponseSchema, answer));
      } else {
        const { state } = answer;
        out.line([
          { text: enumName(WaitOutcome, answer.outcome), look },
          { text: `  ${printable(condition.agentId)}  `, look: "bold" },
          ...(state === undefined ? [] : stateRich(state.state)),
          { text: `  ${printable(state?.message ?? "")}` },
        ]);
      }
      return exit;
    },
  });
}

/** A state cannot be what is waited for and what must not come. */
function contradictions({ states, failStates }: Pick<WaitCondition, "states" | "failStates">): readonly Problem[] {
  const both = [...new Set(states)].filter((state) => failStates?.includes(state));
  const words = both.map((state) => enumName(State, state).toLowerCase()).join(", ");
  return both.length === 0 ? [] : [{ name: "--fail-on", description: `must not name what <state> names: ${words}` }];
}

/**
 * A wait goes on while the server is away; but one that has never been there is more likely a mistake in the URL, which nobody would
 * hear of.
 */
async function assertReachable({ client, signal }: ClientContext, agentId: string): Promise<void> {
  try {
    await client.states.getState({ agentId }, { signal });
  } catch (error) {
    if (!(error instanceof ConnectError && error.code === Code.NotFound)) throw error;
  }
}
