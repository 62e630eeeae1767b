/** States, liveness and statuses in their colours, which are those of the command line. */
import { Liveness, State } from "../../../../gen/opscore/v1/common_pb.js";
import { SessionStatus } from "../../../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus } from "../../../../gen/opscore/v1/task_service_pb.js";
import { enumName } from "../../../lib/enum-name.js";

/** The colours of the style sheet. */
export type Colour = "gray" | "blue" | "cyan" | "green" | "yellow" | "red" | "magenta";

export const STATE_COLOURS: Readonly<Record<State, Colour>> = {
  [State.UNSPECIFIED]: "gray",
  [State.UNKNOWN]: "gray",
  [State.INITIALIZING]: "blue",
  [State.IDLE]: "cyan",
  [State.ACTIVE]: "green",
  [State.ERROR]: "red",
  [State.FINISHED]: "magenta",
};

const LIVENESS_COLOURS: Readonly<Record<Liveness, Colour>> = {
  [Liveness.UNSPECIFIED]: "gray",
  [Liveness.ALIVE]: "green",
  [Liveness.SUSPECT]: "yellow",
  [Liveness.LOST]: "red",
};

export const STATUS_COLOURS: Readonly<Record<SessionStatus, Colour>> = {
  [SessionStatus.UNSPECIFIED]: "gray",
  [SessionStatus.STARTED]: "cyan",
  [SessionStatus.RUNNING]: "green",
  [SessionStatus.PAUSED]: "yellow",
  [SessionStatus.COMPLETED]: "magenta",
  [SessionStatus.FAILED]: "red",
  [SessionStatus.CANCELLED]: "gray",
};

const TASK_COLOURS: Readonly<Record<TaskStatus, Colour>> = {
  [TaskStatus.UNSPECIFIED]: "gray",
  [TaskStatus.PENDING]: "gray",
  [TaskStatus.READY]: "cyan",
  [TaskStatus.LEASED]: "green",
  [TaskStatus.COMPLETED]: "magenta",
  [TaskStatus.FAILED]: "red",
  [TaskStatus.CANCELLED]: "gray",
};

export function StateBadge({ state }: { readonly state: State }) {
  return <Badge colour={STATE_COLOURS[state]}>{enumName(State, state)}</Badge>;
}

/** What the server observes, where that is worth a word: nothing for an agent that is alive. */
export function LivenessBadge({ liveness }: { readonly liveness: Liveness }) {
  if (liveness === Liveness.ALIVE) return null;
  return <Badge colour={LIVENESS_COLOURS[liveness]}>{enumName(Liveness, liveness)}</Badge>;
}

export function SessionBadge({ status }: { readonly status: SessionStatus }) {
  return <Badge colour={STATUS_COLOURS[status]}>{enumName(SessionStatus, status)}</Badge>;
}

export function TaskBadge({ status }: { readonly status: TaskStatus }) {
  return <Badge colour={TASK_COLOURS[status]}>{enumName(TaskStatus, status)}</Badge>;
}

/** @param colour undefined for a value that is newer than this page */
function Badge({ colour, children }: { readonly colour: Colour | undefined; readonly children: string }) {
  return <span class={`badge ${colour ?? "gray"}`}>{children}</span>;
}
