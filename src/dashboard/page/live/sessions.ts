import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Session } from "../../../../gen/opscore/v1/session_service_pb.js";
import type { Task } from "../../../../gen/opscore/v1/task_service_pb.js";
import type { OpsCoreClient, SessionEntry, SessionFilter, TaskEntry } from "../../../client/index.js";
import { LiveTable } from "./live-table.js";

export type SessionTable = LiveTable<SessionEntry, Session>;
export type TaskTable = LiveTable<TaskEntry, Task>;

/** Sessions, the newest first. */
export function sessionTable(client: OpsCoreClient, filter: SessionFilter): SessionTable {
  return new LiveTable({
    open: (options) => client.watchSessions(filter, options),
    apply(entry, table) {
      const session = entry.type === "snapshot" ? entry.session : entry.event.session;
      if (session !== undefined) table.set(session.sessionId, session);
    },
    compare: (a, b) => startMs(b) - startMs(a) || (a.sessionId < b.sessionId ? 1 : -1),
  });
}

/** The tasks of one session. */
export function taskTable(client: OpsCoreClient, sessionId: string): TaskTable {
  return new LiveTable({
    open: (options) => client.watchTasks({ sessionIds: [sessionId] }, options),
    apply(entry, table) {
      const task = entry.type === "snapshot" ? entry.task : entry.event.task;
      if (task !== undefined) table.set(task.taskId, task);
    },
    compare: (a, b) => (a.taskId < b.taskId ? -1 : 1),
  });
}

function startMs({ startTime }: Session): number {
  return startTime === undefined ? 0 : timestampMs(startTime);
}
