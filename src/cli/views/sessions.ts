import type { Session } from "../../../gen/opscore/v1/session_service_pb.js";
import { printable } from "../text/printable.js";
import type { Printer } from "../text/printer.js";
import { span } from "../text/rich.js";
import type { Column, Row } from "../text/table.js";
import { formatSince } from "../../lib/time-text.js";
import { jsonRich, timeRich } from "./agents.js";
import { statusRich } from "./looks.js";

const SESSION_COLUMNS: readonly Column[] = [
  { title: "SESSION" },
  { title: "AGENT", dispensable: 2 },
  { title: "STATUS" },
  { title: "STARTED", align: "right", dispensable: 4 },
  { title: "CHANGED", align: "right", dispensable: 5 },
  { title: "WORKFLOW", dispensable: 3 },
  { title: "ERROR", min: 12, dispensable: 1 },
];

/** Sessions as a table, one a line. */
export function printSessions(out: Printer, sessions: readonly Session[], now: number): void {
  out.table(
    SESSION_COLUMNS,
    sessions.map((session) => sessionRow(session, now)),
  );
}

function sessionRow(session: Session, now: number): Row {
  return [
    span(printable(session.sessionId)),
    span(printable(session.agentId)),
    statusRich(session.status),
    span(formatSince(session.startTime, now)),
    span(formatSince(session.updateTime, now)),
    span(printable(session.workflowId)),
    span(printable(session.error), "red"),
  ];
}

/** Everything about one session. */
export function printSession(out: Printer, session: Session, now: number): void {
  out.fields([
    ["Session", [{ text: printable(session.sessionId), look: "bold" }]],
    ["Agent", span(printable(session.agentId))],
    ["Workflow", span(printable(session.workflowId))],
    ["Status", statusRich(session.status)],
    ["Error", span(printable(session.error), "red")],
    ["Metadata", jsonRich(session.metadata)],
    ["Result", jsonRich(session.result)],
    ["Started", timeRich(out, session.startTime, now)],
    ["Updated", timeRich(out, session.updateTime, now)],
    ["Ended", timeRich(out, session.endTime, now)],
    ["Revision", span(String(session.revision))],
  ]);
}
