/**
 * What happened to agents, sessions and tasks, one event a line.
 */
import { Liveness, type AgentState } from "../../../gen/opscore/v1/common_pb.js";
import {
  SessionEvent_Type,
  SessionStatus,
  type Session,
  type SessionEvent,
} from "../../../gen/opscore/v1/session_service_pb.js";
import { StateEvent_Type, type StateEvent } from "../../../gen/opscore/v1/state_service_pb.js";
import { TaskStatus, type Task, type TaskEvent } from "../../../gen/opscore/v1/task_service_pb.js";
import { printable } from "../text/printable.js";
import { span, type Rich } from "../text/rich.js";
import { enumName } from "../../lib/enum-name.js";
import { changeRich, livenessRich, stateRich, statusRich, taskStatusRich } from "./looks.js";
import { failureRich } from "./tasks.js";

/** One event, in the parts of its line. */
export interface EventView {
  /** What happened: `TRANSITION`. */
  readonly type: string;
  /** The id of whom it happened to. */
  readonly subject: string;
  /** From what to what. */
  readonly change: Rich;
  /** What was said about it. */
  readonly note: Rich;
  readonly time: AgentState["commitTime"];
}

export function stateEventView({ type, state, previous }: StateEvent): EventView {
  const view = {
    type: enumName(StateEvent_Type, type),
    subject: printable(state?.agentId ?? ""),
    time: state?.commitTime,
  };
  if (state === undefined) return { ...view, change: [], note: [] };
  switch (type) {
    case StateEvent_Type.LIVENESS:
      return {
        ...view,
        change: changeRich(previous?.liveness, state.liveness, livenessRich),
        note: [{ text: "while ", look: "dim" }, ...stateRich(state.state)],
      };
    case StateEvent_Type.UPDATED:
      return { ...view, change: stateRich(state.state), note: span("its data changed, its state did not", "dim") };
    case StateEvent_Type.EXITED:
      return { ...view, change: stateRich(state.state), note: span("no longer matches the filter", "dim") };
    case StateEvent_Type.DEREGISTERED:
      return { ...view, change: stateRich(state.state), note: span("was its last state", "dim") };
    case StateEvent_Type.REGISTERED:
    case StateEvent_Type.TRANSITION:
    case StateEvent_Type.UNSPECIFIED:
      return { ...view, change: changeRich(previous?.state, state.state, stateRich), note: stateNote(state, type) };
  }
}

/** An agent's state as a watch found it when it began. */
export function stateSnapshotView(state: AgentState): EventView {
  const isLive = state.liveness === Liveness.ALIVE;
  return {
    type: "SNAPSHOT",
    subject: printable(state.agentId),
    change: isLive
      ? stateRich(state.state)
      : [...stateRich(state.state), { text: " " }, ...livenessRich(state.liveness)],
    note: stateNote(state, undefined),
    time: state.commitTime,
  };
}

function stateNote({ reason, message, incarnation }: AgentState, type: StateEvent_Type | undefined): Rich {
  const parts: Rich[] = [];
  if (type === StateEvent_Type.REGISTERED && incarnation > 1n) {
    parts.push([{ text: `incarnation ${incarnation}`, look: "dim" }]);
  }
  if (reason !== "") parts.push([{ text: printable(reason), look: "yellow" }]);
  if (message !== "") parts.push(span(printable(message)));
  return parts.flatMap((part, i) => (i === 0 ? part : [{ text: "  " }, ...part]));
}

export function sessionEventView({ type, session, previousStatus }: SessionEvent): EventView {
  const view = { type: enumName(SessionEvent_Type, type), subject: printable(session?.sessionId ?? "") };
  if (session === undefined) return { ...view, change: [], note: [], time: undefined };
  const before = previousStatus === SessionStatus.UNSPECIFIED ? undefined : previousStatus;
  return {
    ...view,
    change: changeRich(before, session.status, statusRich),
    note: sessionNote(session),
    time: session.updateTime,
  };
}

/** A session as a watch found it when it began. */
export function sessionSnapshotView(session: Session): EventView {
  return {
    type: "SNAPSHOT",
    subject: printable(session.sessionId),
    change: statusRich(session.status),
    note: sessionNote(session),
    time: session.updateTime,
  };
}

function sessionNote({ agentId, error }: Session): Rich {
  const who: Rich = agentId === "" ? [] : [{ text: "on ", look: "dim" }, { text: printable(agentId) }];
  const gap = who.length === 0 ? "" : "  ";
  return error === "" ? who : [...who, { text: `${gap}${printable(error)}`, look: "red" }];
}

/** @param ofOneSession the watch is of one session, which is not named in each line */
export function taskEventView({ task, previousStatus }: TaskEvent, ofOneSession: boolean): EventView {
  if (task === undefined) return { type: "TASK", subject: "", change: [], note: [], time: undefined };
  const before = previousStatus === TaskStatus.UNSPECIFIED ? undefined : previousStatus;
  const isNew = before === undefined;
  return {
    type: isNew ? "CREATED" : "TASK",
    subject: taskName(task, ofOneSession),
    change: changeRich(before, task.status, taskStatusRich),
    note: taskNote(task),
    time: task.updateTime,
  };
}

/** A task as a watch found it when it began. @param ofOneSession as {@link taskEventView} */
export function taskSnapshotView(task: Task, ofOneSession: boolean): EventView {
  return {
    type: "SNAPSHOT",
    subject: taskName(task, ofOneSession),
    change: taskStatusRich(task.status),
    note: taskNote(task),
    time: task.updateTime,
  };
}

function taskName({ sessionId, taskId }: Task, ofOneSession: boolean): string {
  return printable(ofOneSession ? taskId : `${sessionId}/${taskId}`);
}

/** What it waits for, who has it, why it failed, or why it was called off. */
export function taskNote(task: Task): Rich {
  const { status, dependsOn, agentId, attempt } = task;
  const after = (): Rich => [{ text: "after ", look: "dim" }, { text: printable(dependsOn.join(" ")) }];
  const on = (): Rich => [
    { text: "on ", look: "dim" },
    { text: printable(agentId) },
    ...(attempt > 1 ? [{ text: `  attempt ${attempt}`, look: "dim" as const }] : []),
  ];
  switch (status) {
    case TaskStatus.PENDING:
      return after();
    case TaskStatus.LEASED:
    case TaskStatus.COMPLETED:
      return on();
    case TaskStatus.READY:
    case TaskStatus.FAILED:
    case TaskStatus.CANCELLED:
    case TaskStatus.UNSPECIFIED:
      return failureRich(task);
  }
}
