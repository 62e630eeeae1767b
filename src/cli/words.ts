/**
 * The words of the API as they are typed, and as they are printed.
 */
import { Liveness, State } from "../../gen/opscore/v1/common_pb.js";
import { SessionStatus } from "../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus } from "../../gen/opscore/v1/task_service_pb.js";
import { choice } from "./readers.js";

export const stateWord = choice(
  {
    unknown: State.UNKNOWN,
    initializing: State.INITIALIZING,
    idle: State.IDLE,
    active: State.ACTIVE,
    error: State.ERROR,
    finished: State.FINISHED,
  },
  "state_",
);

export const livenessWord = choice(
  { alive: Liveness.ALIVE, suspect: Liveness.SUSPECT, lost: Liveness.LOST },
  "liveness_",
);

export const statusWord = choice(
  {
    started: SessionStatus.STARTED,
    running: SessionStatus.RUNNING,
    paused: SessionStatus.PAUSED,
    completed: SessionStatus.COMPLETED,
    failed: SessionStatus.FAILED,
    cancelled: SessionStatus.CANCELLED,
  },
  "session_status_",
);

export const taskStatusWord = choice(
  {
    pending: TaskStatus.PENDING,
    ready: TaskStatus.READY,
    leased: TaskStatus.LEASED,
    completed: TaskStatus.COMPLETED,
    failed: TaskStatus.FAILED,
    cancelled: TaskStatus.CANCELLED,
  },
  "task_status_",
);
