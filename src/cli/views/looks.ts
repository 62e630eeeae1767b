/**
 * States, liveness, sessions and tasks in their colours: one place, so that they look the same everywhere.
 */
import { Liveness, State } from "../../../gen/opscore/v1/common_pb.js";
import { SessionStatus } from "../../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus } from "../../../gen/opscore/v1/task_service_pb.js";
import type { Rich } from "../text/rich.js";
import type { Look } from "../text/style.js";
import { enumName } from "../../lib/enum-name.js";

const STATE_LOOKS: Readonly<Record<State, Look>> = {
  [State.UNSPECIFIED]: "gray",
  [State.UNKNOWN]: "gray",
  [State.INITIALIZING]: "blue",
  [State.IDLE]: "cyan",
  [State.ACTIVE]: ["green", "bold"],
  [State.ERROR]: ["red", "bold"],
  [State.FINISHED]: "magenta",
};

const LIVENESS_LOOKS: Readonly<Record<Liveness, Look>> = {
  [Liveness.UNSPECIFIED]: "gray",
  [Liveness.ALIVE]: "green",
  [Liveness.SUSPECT]: "yellow",
  [Liveness.LOST]: ["red", "bold"],
};

const STATUS_LOOKS: Readonly<Record<SessionStatus, Look>> = {
  [SessionStatus.UNSPECIFIED]: "gray",
  [SessionStatus.STARTED]: "cyan",
  [SessionStatus.RUNNING]: ["green", "bold"],
  [SessionStatus.PAUSED]: "yellow",
  [SessionStatus.COMPLETED]: "magenta",
  [SessionStatus.FAILED]: ["red", "bold"],
  [SessionStatus.CANCELLED]: "gray",
};

const TASK_LOOKS: Readonly<Record<TaskStatus, Look>> = {
  [TaskStatus.UNSPECIFIED]: "gray",
  [TaskStatus.PENDING]: "gray",
  [TaskStatus.READY]: "cyan",
  [TaskStatus.LEASED]: ["green", "bold"],
  [TaskStatus.COMPLETED]: "magenta",
  [TaskStatus.FAILED]: ["red", "bold"],
  [TaskStatus.CANCELLED]: "gray",
};

export function stateRich(state: State): Rich {
  return [{ text: enumName(State, state), look: STATE_LOOKS[state] }];
}

export function livenessRich(liveness: Liveness): Rich {
  return [{ text: enumName(Liveness, liveness), look: LIVENESS_LOOKS[liveness] }];
}

export function statusRich(status: SessionStatus): Rich {
  return [{ text: enumName(SessionStatus, status), look: STATUS_LOOKS[status] }];
}

export function taskStatusRich(status: TaskStatus): Rich {
  return [{ text: enumName(TaskStatus, status), look: TASK_LOOKS[status] }];
}

const ARROW: Rich = [{ text: " → ", look: "dim" }];

/** `from → to`; only `to` where nothing was before it, or the same. */
export function changeRich<T>(from: T | undefined, to: T, rich: (value: T) => Rich): Rich {
  return from === undefined || from === to ? rich(to) : [...rich(from), ...ARROW, ...rich(to)];
}
