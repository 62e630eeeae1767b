import type { Command } from "commander";
import { GetStateHistoryResponseSchema, GetStateResponseSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import { showItem } from "../answers.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { implementCall } from "../connection.js";
import { optional, required } from "../flags.js";
import { collectPages } from "../paging.js";
import { anyText, int64, wholeNumber } from "../readers.js";
import { printState } from "../views/agents.js";
import { printHistory } from "../views/history.js";
import { defineSet } from "./state-set.js";
import { defineWait } from "./state-wait.js";
import { defineWatch } from "./state-watch.js";

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
