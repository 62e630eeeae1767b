import type { Command } from "commander";
import {
  CancelTaskResponseSchema,
  GetTaskResponseSchema,
  ListTasksResponseSchema,
  RetryTaskResponseSchema,
  type ListTasksResponse,
} from "../../../gen/opscore/v1/task_service_pb.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { implementCall } from "../connection.js";
import { listed, optional, required } from "../flags.js";
import { given } from "../given.js";
import { collectPages, printRest } from "../paging.js";
import { anyText, wholeNumber } from "../readers.js";
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
      limit: optional("--limit <count>", "at most so many (default: all)", wholeNumber(1, 1_000_000)),
    },
    async run({ limit, sessionId, agentId, statuses }, { client, io, out, err, json, signal }) {
      const filter = { ...given({ sessionId, agentId }), statuses: [...statuses] };
      const { items, nextPageToken } = await collectPages(limit, async (page) => {
        const answer: ListTasksResponse = await client.tasks.listTasks({ ...filter, ...page }, { signal });
        return { items: answer.tasks, nextPageToken: answer.nextPageToken };
      });
      if (json) {
        const answer = { $typeName: ListTasksResponseSchema.typeName, tasks: items, nextPageToken };
        out.json(apiJson(ListTasksResponseSchema, answer));
      } else if (items.length === 0) {
        err.line([{ text: "no tasks", look: "dim" }]);
      } else {
        printTasks(out, items, io.scheduler.now());
        printRest(err, nextPageToken);
      }
      return undefined;
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one task",
    positionals: POSITIONALS,
    flags: {},
    async run(key, { client, io, out, json, signal }) {
      const answer = await client.tasks.getTask(key, { signal });
      if (json) out.json(apiJson(GetTaskResponseSchema, answer));
      else if (answer.task !== undefined) printTask(out, answer.task, io.scheduler.now());
      return undefined;
    },
  });
}

function defineRetry(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Give a task of the dead letter new attempts",
    details: "A session that failed with it goes on.",
    positionals: POSITIONALS,
    flags: {},
    async run(key, { client, io, out, json, signal }) {
      const answer = await client.tasks.retryTask(key, { signal });
      if (json) out.json(apiJson(RetryTaskResponseSchema, answer));
      else if (answer.task !== undefined) printTask(out, answer.task, io.scheduler.now());
      return undefined;
    },
  });
}

function defineCancel(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Call a task off",
    details: "An agent that works on it is told. Tasks that depend on it will not run.",
    positionals: POSITIONALS,
    flags: { message: optional("--message <text>", "why, for people", anyText) },
    async run({ sessionId, taskId, ...options }, { client, io, out, json, signal }) {
      const answer = await client.tasks.cancelTask({ sessionId, taskId, ...given(options) }, { signal });
      if (json) out.json(apiJson(CancelTaskResponseSchema, answer));
      else if (answer.task !== undefined) printTask(out, answer.task, io.scheduler.now());
      return undefined;
    },
  });
}
