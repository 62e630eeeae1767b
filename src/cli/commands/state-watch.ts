import type { Command } from "commander";
import { AgentStateSchema } from "../../../gen/opscore/v1/common_pb.js";
import { StateEventSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import type { StateEntry } from "../../client/index.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { EVENT_FILTER, PLAIN } from "../common-flags.js";
import { implementLasting } from "../connection.js";
import { rest } from "../flags.js";
import { StateBoard } from "../live/state-board.js";
import { watchView } from "../live/watch-view.js";
import { anyText } from "../readers.js";
import { stateEventView, stateSnapshotView } from "../views/events.js";
import { follow, lineSink, WATCH_FLAGS, type EntryPrinter } from "../watching.js";

/** How a watch of states is printed, line by line. */
export const STATE_ENTRIES: EntryPrinter<StateEntry> = {
  view: (entry) => (entry.type === "snapshot" ? stateSnapshotView(entry.state) : stateEventView(entry.event)),
  json: (entry) =>
    entry.type === "snapshot"
      ? { kind: "WATCH_KIND_SNAPSHOT", state: apiJson(AgentStateSchema, entry.state) }
      : { kind: "WATCH_KIND_EVENTS", event: apiJson(StateEventSchema, entry.event) },
};

/** `opscore state watch` */
export function defineWatch(command: Command, host: Host): void {
  implementLasting(command, host, {
    summary: "Watch agents: what they do now, and every change",
    details:
      "On a terminal a live table of the agents with the events below it; in a pipe one line for each event. The watch goes on by itself after a lost connection or a restart of the server. It ends with Ctrl-C, or when every agent that it names is gone.",
    examples: [
      ["opscore state watch", "everything in the namespace"],
      ["opscore state watch --selector env=prod --state error", "what fails in production, and what recovers"],
      ["opscore state watch writer-1 --json | jq -c '.event.state.state // empty'", "for a script"],
    ],
    positionals: { agentIds: rest("agent-id", "only these agents, which need not exist yet", anyText, 0) },
    flags: {
      ...EVENT_FILTER,
      ...WATCH_FLAGS,
      plain: PLAIN,
    },
    run({ plain, resumeToken, snapshot, ...filter }, context) {
      const { client, out, json } = context;
      const isLive = out.forPeople && !json && !plain;
      const sink = isLive
        ? watchView(context, "opscore state watch", new StateBoard(context.io.scheduler, filter.states))
        : lineSink(context, STATE_ENTRIES);
      return follow(context, { resumeToken, snapshot }, (options) => client.watchState(filter, options), sink);
    },
  });
}
