import type { Command } from "commander";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  GetStateHistoryResponseSchema,
  GetStateResponseSchema,
  SetStateResponseSchema,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { showItem } from "../answers.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { REQUEST_ID } from "../common-flags.js";
import { implementCall } from "../connection.js";
import { listed, optional, required } from "../flags.js";
import { given } from "../given.js";
import { collectPages } from "../paging.js";
import { anyText, duration, int64, jsonObject, wholeNumber } from "../readers.js";
import { printState } from "../views/agents.js";
import { printHistory } from "../views/history.js";
import { stateWord } from "../words.js";
import { defineWait } from "./state-wait.js";
import { defineWatch } from "./state-watch.js";

const MAX_HOLD_MS = 60_000;

/** `opscore state`: what they do. */
export function define(group: Command, host: Host): void {
  defineGet(group.command("get"), host);
  defineSet(group.command("set"), host);
  defineWatch(group.command("watch"), host);
  defineWait(group.command("wait"), host);
  defineHistory(group.command("history"), host);
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show the state of one agent",
    positionals: { agentId: required("agent-id", "the agent", anyText) },
    flags: {},
    async run({ agentId }, context) {
      const { client, signal } = context;
      const answer = await client.states.getState({ agentId }, { signal });
      return showItem(context, GetStateResponseSchema, answer, answer.state, printState);
    },
  });
}

function defineSet(command: Command, host: Host): void {
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
        "how long to hold it for an agent that is not registered; 0: not at all (default: 5s)",
        duration(0, MAX_HOLD_MS),
      ),
      requestId: REQUEST_ID,
    },
    async run({ expectedStates, hold, ...rest }, { client, io, out, err, json, signal }) {
      const answer = await client.states.setState(
        {
          ...given(rest),
          expectedStates: [...expectedStates],
          ...(hold === undefined ? {} : { waitForRegistration: durationFromMs(hold) }),
        },
        { signal },
      );
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

function defineHistory(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show what happened to an agent, newest last",
    details:
      "Registrations, transitions and changes of liveness; also of an agent that was deregistered, until retention removes it.",
    positionals: { agentId: required("agent-id", "the agent", anyText) },
    flags: {
      afterRevision: optional("--after-revision <number>", "only what came after this revision", int64),
      last: optional("--last <count>", "only the newest so many", wholeNumber(1, 1_000_000)),
    },
    async run({ agentId, afterRevision, last }, { client, out, json, signal }) {
      const filter = { agentId, afterRevision: afterRevision ?? 0n };
      const answer = await collectPages(undefined, "events", (page) =>
        client.states.getStateHistory({ ...filter, ...page }, { signal }),
      );
      if (last !== undefined) answer.events = answer.events.slice(-last);
      if (json) out.json(apiJson(GetStateHistoryResponseSchema, answer));
      else printHistory(out, answer.events);
      return undefined;
    },
  });
}
