/** The requests of TaskService. */
import * as taskService from "../../../../gen/opscore/v1/task_service_pb.js";
import { badData, badIdLists, badIds, badPageSizes, badProgress, badText, first, type Methods } from "./method.js";

const badTaskKey = {
  session_id: [[{ sessionId: "" }, "session_id"], ...badIds("sessionId", "session_id")],
  task_id: [[{ taskId: "" }, "task_id"], ...badIds("taskId", "task_id")],
} as const;
const LEASED = { sessionId: "working", taskId: "leased", attempt: 1 };
const badAttempt = [0, -1].map((attempt) => [{ attempt }, "attempt"] as const);

export const TASK_METHODS: Methods = {
  WatchTasks: {
    schema: taskService.WatchTasksRequestSchema,
    call: (h, request) => first(h.tasks.watchTasks(request)),
    base: {},
    harmless: ["include_snapshot", "resume_token"],
    bad: {
      agent_id: [[{ agentIncarnation: 1n }, "agent_id"], ...badIds("agentId", "agent_id")],
      agent_incarnation: [[{ agentIncarnation: -1n }, "agent_incarnation", "agent_id"]],
      session_ids: badIdLists("sessionIds", "session_ids"),
      progress_interval: badProgress,
    },
  },
  RenewTask: {
    schema: taskService.RenewTaskRequestSchema,
    call: (h, request) => h.tasks.renewTask(request),
    base: LEASED,
    bad: { ...badTaskKey, attempt: badAttempt },
  },
  CompleteTask: {
    schema: taskService.CompleteTaskRequestSchema,
    call: (h, request) => h.tasks.completeTask(request),
    base: LEASED,
    bad: { ...badTaskKey, attempt: badAttempt, result: badData("result", "result") },
  },
  FailTask: {
    schema: taskService.FailTaskRequestSchema,
    call: (h, request) => h.tasks.failTask(request),
    base: LEASED,
    harmless: ["permanent"],
    bad: {
      ...badTaskKey,
      attempt: badAttempt,
      reason: [[{ reason: "not CamelCase" }, "reason"]],
      error: badText("error", "error"),
    },
  },
  CancelTask: {
    schema: taskService.CancelTaskRequestSchema,
    call: (h, request) => h.tasks.cancelTask(request),
    base: { sessionId: "working", taskId: "leased" },
    bad: { ...badTaskKey, message: badText("message", "message") },
  },
  RetryTask: {
    schema: taskService.RetryTaskRequestSchema,
    call: (h, request) => h.tasks.retryTask(request),
    base: { sessionId: "working", taskId: "failed" },
    bad: badTaskKey,
  },
  GetTask: {
    schema: taskService.GetTaskRequestSchema,
    call: (h, request) => h.tasks.getTask(request),
    base: { sessionId: "working", taskId: "leased" },
    bad: badTaskKey,
  },
  ListTasks: {
    schema: taskService.ListTasksRequestSchema,
    call: (h, request) => h.tasks.listTasks(request),
    base: {},
    harmless: ["page_token"],
    bad: {
      session_id: badIds("sessionId", "session_id"),
      agent_id: badIds("agentId", "agent_id"),
      statuses: [
        [{ statuses: [0] }, "statuses[0]"],
        [{ statuses: [1, 7] }, "statuses[1]"],
      ],
      page_size: badPageSizes,
    },
  },
};
