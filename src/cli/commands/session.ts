import type { Command } from "commander";
import {
  GetSessionResponseSchema,
  ListSessionsResponseSchema,
  SessionEventSchema,
  SessionSchema,
  StartSessionResponseSchema,
  UpdateSessionResponseSchema,
} from "../../../gen/opscore/v1/session_service_pb.js";
import { TaskEventSchema, TaskSchema } from "../../../gen/opscore/v1/task_service_pb.js";
import type { SessionEntry, TaskEntry } from "../../client/index.js";
import { showItem, showList } from "../answers.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { LIMIT, METADATA, PLAIN, REQUEST_ID } from "../common-flags.js";
import { implementCall, implementLasting, type ClientContext } from "../connection.js";
import { nothingToChange, usageFailure } from "../failure.js";
import { listed, optional, repeated, required, rest, toggle } from "../flags.js";
import { given } from "../given.js";
import { TaskBoard } from "../live/task-board.js";
import { watchView } from "../live/watch-view.js";
import { anyText, int64, jsonObject } from "../readers.js";
import { TASK_WIDTHS } from "../views/event-lines.js";
import { sessionEventView, sessionSnapshotView, taskEventView, taskSnapshotView } from "../views/events.js";
import { printSession, printSessions } from "../views/sessions.js";
import { follow, lineSink, WATCH_FLAGS, type EntryPrinter, type WatchSink } from "../watching.js";
import { statusWord } from "../words.js";

const SESSION_ENTRIES: EntryPrinter<SessionEntry> = {
  view: (entry) => (entry.type === "snapshot" ? sessionSnapshotView(entry.session) : sessionEventView(entry.event)),
  json: (entry) =>
    entry.type === "snapshot"
      ? { kind: "WATCH_KIND_SNAPSHOT", session: apiJson(SessionSchema, entry.session) }
      : { kind: "WATCH_KIND_EVENTS", event: apiJson(SessionEventSchema, entry.event) },
};

function taskEntries(ofOneSession: boolean): EntryPrinter<TaskEntry> {
  return {
    view: (entry) =>
      entry.type === "snapshot" ? taskSnapshotView(entry.task, ofOneSession) : taskEventView(entry.event, ofOneSession),
    json: (entry) =>
      entry.type === "snapshot"
        ? { kind: "WATCH_KIND_SNAPSHOT", task: apiJson(TaskSchema, entry.task) }
        : { kind: "WATCH_KIND_EVENTS", event: apiJson(TaskEventSchema, entry.event) },
    widths: TASK_WIDTHS,
  };
}

/** `opscore session`: what they work on. */
export function define(group: Command, host: Host): void {
  defineStart(group.command("start"), host);
  defineGet(group.command("get"), host);
  defineUpdate(group.command("update"), host);
  defineList(group.command("list"), host);
  defineWatch(group.command("watch"), host);
}

function defineStart(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Start a session on an agent",
    examples: [['opscore session start writer-1 --metadata \'{"topic":"tides"}\'', "with what it is about"]],
    positionals: { agentId: required("agent-id", "the agent, which must be registered", anyText) },
    flags: {
      sessionId: optional("--session-id <id>", "the session; not given: the server makes an id", anyText),
      workflowId: optional("--workflow-id <id>", "the workflow that it runs", anyText),
      metadata: METADATA,
      requestId: REQUEST_ID,
    },
    async run(values, context) {
      const { client, signal } = context;
      const answer = await client.sessions.startSession(given(values), { signal });
      return showItem(context, StartSessionResponseSchema, answer, answer.session, printSession);
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one session",
    positionals: { sessionId: required("session-id", "the session", anyText) },
    flags: {},
    async run({ sessionId }, context) {
      const { client, signal } = context;
      const answer = await client.sessions.getSession({ sessionId }, { signal });
      return showItem(context, GetSessionResponseSchema, answer, answer.session, printSession);
    },
  });
}

/** What can be changed of a session. */
const CHANGES = {
  status: optional("--status <status>", "its new status", statusWord),
  metadata: METADATA,
  result: optional("--result <json>", "what came of it: a JSON object, @FILE, or -", jsonObject),
  error: optional("--error <text>", "why it failed, for people", anyText),
};

function defineUpdate(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Change a session",
    details: "Only what is given changes. A session that has ended cannot change.",
    examples: [
      ["opscore session update SESSION --status completed --result '{\"pages\":12}'", "it ended well"],
      ["opscore session update SESSION --status failed --error 'no sources found'", "it did not"],
    ],
    positionals: { sessionId: required("session-id", "the session", anyText) },
    flags: {
      ...CHANGES,
      expectedRevision: optional("--if-revision <number>", "only if it has this revision", int64),
      requestId: REQUEST_ID,
    },
    async run(values, context) {
      const { client, signal } = context;
      const { sessionId, expectedRevision, requestId, ...changes } = values;
      const session = given(changes);
      const paths = Object.keys(session);
      if (paths.length === 0) throw nothingToChange(Object.values(CHANGES).map(({ name }) => name));
      const answer = await client.sessions.updateSession(
        { session: { ...session, sessionId }, updateMask: { paths }, ...given({ expectedRevision, requestId }) },
        { signal },
      );
      return showItem(context, UpdateSessionResponseSchema, answer, answer.session, printSession);
    },
  });
}

function defineList(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "List sessions",
    details: "In the order of their start. All filters must match.",
    positionals: {},
    flags: {
      agentId: optional("--agent <agent-id>", "only sessions of this agent", anyText),
      workflowId: optional("--workflow <workflow-id>", "only sessions of this workflow", anyText),
      statuses: listed("--status <status>", "only sessions with this status", statusWord),
      limit: LIMIT,
    },
    async run({ limit, agentId, workflowId, statuses }, context) {
      const { client, signal } = context;
      const filter = { ...given({ agentId, workflowId }), statuses: [...statuses] };
      return showList(context, limit, {
        schema: ListSessionsResponseSchema,
        field: "sessions",
        none: "no sessions",
        read: (page) => client.sessions.listSessions({ ...filter, ...page }, { signal }),
        print: printSessions,
      });
    },
  });
}

function defineWatch(command: Command, host: Host): void {
  implementLasting(command, host, {
    summary: "Watch sessions: where they are now, and every change",
    details:
      "One line for each event; --tasks on a terminal is a live picture of the tasks, each below those that it waits for. The watch goes on by itself after a lost connection or a restart of the server, and ends with Ctrl-C.",
    examples: [["opscore session watch SESSION --tasks", "how the tasks of a session progress"]],
    positionals: { sessionIds: rest("session-id", "only these sessions, which need not exist yet", anyText, 0) },
    flags: {
      agentIds: repeated("--agent <agent-id>", "only sessions of this agent", anyText),
      statuses: listed("--status <status>", "only events into or out of this status", statusWord),
      tasks: toggle("--tasks", "the steps of these sessions instead: who works on which, and what waits for what"),
      ...WATCH_FLAGS,
      plain: PLAIN,
    },
    run({ resumeToken, snapshot, tasks, plain, ...filter }, context) {
      const start = { resumeToken, snapshot };
      if (tasks) {
        const { sessionIds, agentIds, statuses } = filter;
        const given = [agentIds.length > 0 ? "--agent" : "", statuses.length > 0 ? "--status" : ""];
        const problems = given
          .filter((name) => name !== "")
          .map((name) => ({ name, description: "must not be given with --tasks" }));
        if (problems.length > 0) throw usageFailure(problems);
        const sink =
          context.out.forPeople && !context.json && !plain
            ? taskView(context, sessionIds)
            : lineSink(context, taskEntries(sessionIds.length === 1));
        return follow(context, start, (options) => context.client.watchTasks({ sessionIds }, options), sink);
      }
      return follow(
        context,
        start,
        (options) => context.client.watchSessions(filter, options),
        lineSink(context, SESSION_ENTRIES),
      );
    },
  });
}

function taskView(context: ClientContext, sessionIds: readonly string[]): WatchSink<TaskEntry> {
  const [sessionId] = sessionIds;
  const name = sessionIds.length === 1 ? `session ${sessionId}` : "opscore session watch --tasks";
  return watchView(context, name, new TaskBoard(context.io.scheduler, sessionIds));
}
