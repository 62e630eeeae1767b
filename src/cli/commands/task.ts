import type { Command } from "commander";
import {
  CancelTaskResponseSchema,
  GetTaskResponseSchema,
  ListTasksResponseSchema,
  RetryTaskResponseSchema,
} from "../../../gen/opscore/v1/task_service_pb.js";
import { showItem, showList } from "../answers.js";
import type { Host } from "../command.js";
import { LIMIT } from "../common-flags.js";
import { implementCall } from "../connection.js";
import { listed, optional, required } from "../flags.js";
import { given } from "../given.js";
import { anyText } from "../readers.js";
import { printTask, printTasks } from "../views/tasks.js";
import { taskStatusWord } from "../words.js";

const POSITIONALS = {
  sessionId: required("session-id", "the session", anyText),
  taskId: required("task-id", "the task's id in its workflow", anyText),
};

/** `opscore task`: the steps of sessions. */
export function define(group: Command, host: Host): void {
  defineList(group.command("list"), host);
  defineGet(group.command("get"), host);
  defineRetry(group.command("retry"), host);
  defineCancel(group.command("cancel"), host);
}

function defineList(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "List tasks",
    details:
      "Those of one session in the order of its workflow, others in the order in which their sessions started. All filters must match.",
    examples: [
      ["opscore task list --session SESSION", "how far a session is"],
      ["opscore task list --status failed", "the dead letter"],
    ],
    positionals: {},
    flags: {
      sessionId: optional("--session <session-id>", "only tasks of this session", anyText),
      agentId: optional("--agent <agent-id>", "only tasks that this agent has, or had last", anyText),
      statuses: listed("--status <status>", "only tasks with this status", taskStatusWord),
      limit: LIMIT,
    },
    async run({ limit, sessionId, agentId, statuses }, context) {
      const { client, signal } = context;
      const filter = { ...given({ sessionId, agentId }), statuses: [...statuses] };
      return showList(context, limit, {
        schema: ListTasksResponseSchema,
        field: "tasks",
        none: "no tasks",
        async read(page) {
          const answer = await client.tasks.listTasks({ ...filter, ...page }, { signal });
          // No task of a session that does not exist is a mistake in its id; of one that does, it is an answer.
          const isEmpty = page.pageToken === "" && answer.nextPageToken === "" && answer.tasks.length === 0;
          if (isEmpty && filter.sessionId)
            await client.sessions.getSession({ sessionId: filter.sessionId }, { signal });
          return answer;
        },
        print: (...list) => printTasks(...list, sessionId !== undefined),
      });
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one task",
    positionals: POSITIONALS,
    flags: {},
    async run(key, context) {
      const { client, signal } = context;
      const answer = await client.tasks.getTask(key, { signal });
      return showItem(context, GetTaskResponseSchema, answer, answer.task, printTask);
    },
  });
}

function defineRetry(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Give a task of the dead letter new attempts",
    details: "A session that failed with it goes on.",
    positionals: POSITIONALS,
    flags: {},
    hints: {
      STATE_MISMATCH:
        "Only tasks of the dead letter, which are FAILED, can be retried: `opscore task list --status failed` shows them.",
    },
    async run(key, context) {
      const { client, signal } = context;
      const answer = await client.tasks.retryTask(key, { signal });
      return showItem(context, RetryTaskResponseSchema, answer, answer.task, printTask);
    },
  });
}

function defineCancel(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Call a task off",
    details: "An agent that works on it is told. Tasks that depend on it will not run.",
    positionals: POSITIONALS,
    flags: { message: optional("--message <text>", "why, for people", anyText) },
    async run({ sessionId, taskId, ...options }, context) {
      const { client, signal } = context;
      const answer = await client.tasks.cancelTask({ sessionId, taskId, ...given(options) }, { signal });
      return showItem(context, CancelTaskResponseSchema, answer, answer.task, printTask);
    },
  });
}
