import type { ServiceImpl } from "@connectrpc/connect";
import type {
  CancelTaskResponse,
  CompleteTaskResponse,
  FailTaskResponse,
  GetTaskResponse,
  ListTasksRequest,
  ListTasksResponse,
  RenewTaskResponse,
  RetryTaskResponse,
  TaskService,
} from "../../../gen/opscore/v1/task_service_pb.js";
import { taskNotFound } from "../../errors/index.js";
import { chain } from "../../lib/awaitable.js";
import type { AttemptKey, CancelTask, CompleteTask, FailTask, ListTasks, TaskKey } from "../../storage/storage.js";
import { callerKey } from "../caller.js";
import type { ServiceDependencies } from "../dependencies.js";
import type { Limits } from "../limits.js";
import { pageToken, readPageToken, type Query } from "../paging.js";
import {
  freeData,
  id,
  optionalId,
  pageSize,
  reason,
  taskStatuses,
  text,
  Violations,
  whole,
} from "../validation/index.js";
import { toDuration, toTask } from "../wire/index.js";
import { taskLeaseMs } from "./leases.js";

const MAX_ATTEMPT = 2 ** 31 - 1;

/** The reason of a failure for which the agent gave none. */
const UNSPECIFIC = "Failed";

/** TaskService but for its watch. See the proto file for what each method promises. */
export function createTaskService({
  storage,
  limits,
}: ServiceDependencies): Omit<ServiceImpl<typeof TaskService>, "watchTasks"> {
  return {
    renewTask(request, ctx) {
      const bad = new Violations();
      const attempt = attemptKey(bad, request, ctx.values.get(callerKey).namespace);
      bad.throwIfAny();
      // How long a lease is depends on how the attempt was delivered. If it is over by the time of the renewal, that is refused.
      return chain(storage.getTask(attempt), (task) => {
        if (task === undefined) throw taskNotFound(attempt.sessionId, attempt.taskId);
        const leaseMs = taskLeaseMs(task.delivery, task.timeoutMs);
        return chain(storage.renewTask({ ...attempt, leaseMs }), ({ remainingMs }): RenewTaskResponse => ({
          $typeName: "opscore.v1.RenewTaskResponse",
          ttl: toDuration(leaseMs),
          remaining: toDuration(remainingMs),
        }));
      });
    },

    completeTask(request, ctx) {
      const bad = new Violations();
      const command: CompleteTask = {
        ...attemptKey(bad, request, ctx.values.get(callerKey).namespace),
        result: freeData(bad, "result", request.result, limits),
      };
      bad.throwIfAny();
      return chain(storage.completeTask(command), (task): CompleteTaskResponse => ({
        $typeName: "opscore.v1.CompleteTaskResponse",
        task: toTask(task),
      }));
    },

    failTask(request, ctx) {
      const bad = new Violations();
      const command: FailTask = {
        ...attemptKey(bad, request, ctx.values.get(callerKey).namespace),
        reason: reason(bad, "reason", request.reason) || UNSPECIFIC,
        error: text(bad, "error", request.error, limits.messageBytes),
        permanent: request.permanent,
        jitter: Math.random(),
      };
      bad.throwIfAny();
      return chain(storage.failTask(command), (task): FailTaskResponse => ({
        $typeName: "opscore.v1.FailTaskResponse",
        task: toTask(task),
      }));
    },

    cancelTask(request, ctx) {
      const bad = new Violations();
      const command: CancelTask = {
        ...taskKey(bad, request, ctx.values.get(callerKey).namespace),
        message: text(bad, "message", request.message, limits.messageBytes),
      };
      bad.throwIfAny();
      return chain(storage.cancelTask(command), (task): CancelTaskResponse => ({
        $typeName: "opscore.v1.CancelTaskResponse",
        task: toTask(task),
      }));
    },

    retryTask(request, ctx) {
      const bad = new Violations();
      const key = taskKey(bad, request, ctx.values.get(callerKey).namespace);
      bad.throwIfAny();
      return chain(storage.retryTask(key), (task): RetryTaskResponse => ({
        $typeName: "opscore.v1.RetryTaskResponse",
        task: toTask(task),
      }));
    },

    getTask(request, ctx) {
      const bad = new Violations();
      const key = taskKey(bad, request, ctx.values.get(callerKey).namespace);
      bad.throwIfAny();
      return chain(storage.getTask(key), (task): GetTaskResponse => {
        if (task === undefined) throw taskNotFound(key.sessionId, key.taskId);
        return { $typeName: "opscore.v1.GetTaskResponse", task: toTask(task) };
      });
    },

    listTasks(request, ctx) {
      const { query, fingerprinted } = readListing(request, ctx.values.get(callerKey).namespace, limits);
      return chain(storage.listTasks(query), ({ items, next }): ListTasksResponse => ({
        $typeName: "opscore.v1.ListTasksResponse",
        tasks: items.map(toTask),
        nextPageToken: pageToken(fingerprinted, next),
      }));
    },
  };
}

/** What a request about one task has in common with the others. */
interface TaskMessage {
  readonly sessionId: string;
  readonly taskId: string;
}

function taskKey(bad: Violations, { sessionId, taskId }: TaskMessage, namespace: string): TaskKey {
  return { namespace, sessionId: id(bad, "session_id", sessionId), taskId: id(bad, "task_id", taskId) };
}

function attemptKey(
  bad: Violations,
  request: TaskMessage & { readonly attempt: number },
  namespace: string,
): AttemptKey {
  return { ...taskKey(bad, request, namespace), attempt: whole(bad, "attempt", request.attempt, 1, MAX_ATTEMPT) };
}

function readListing(
  request: ListTasksRequest,
  namespace: string,
  limits: Limits,
): { readonly query: ListTasks; readonly fingerprinted: Query } {
  const bad = new Violations();
  const filter = {
    sessionId: optionalId(bad, "session_id", request.sessionId),
    agentId: optionalId(bad, "agent_id", request.agentId),
    statuses: taskStatuses(bad, "statuses", request.statuses),
  };
  const limit = pageSize(bad, "page_size", request.pageSize, limits);
  bad.throwIfAny();
  const fingerprinted: Query = ["ListTasks", namespace, filter.sessionId, filter.agentId, [...filter.statuses].sort()];
  const cursor = readPageToken(fingerprinted, request.pageToken);
  return { query: { namespace, ...filter, limit, cursor }, fingerprinted };
}
