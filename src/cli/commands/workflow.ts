import type { Command } from "commander";
import {
  CancelWorkflowResponseSchema,
  DeleteWorkflowResponseSchema,
  GetWorkflowResponseSchema,
  ListWorkflowsResponseSchema,
  PutWorkflowResponseSchema,
  TriggerWorkflowResponseSchema,
  type ListWorkflowsResponse,
} from "../../../gen/opscore/v1/workflow_service_pb.js";
import type { FileDefinition } from "../../services/workflows/definition-files.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { implementCall } from "../connection.js";
import { definitionFailure } from "../definitions.js";
import { usageFailure } from "../failure.js";
import { optional, required, rest } from "../flags.js";
import { given } from "../given.js";
import { collectPages, printRest } from "../paging.js";
import { anyText, int64, jsonObject, wholeNumber } from "../readers.js";
import { printable } from "../text/printable.js";
import { printSession } from "../views/sessions.js";
import { printWorkflow, printWorkflows } from "../views/workflows.js";

const WORKFLOW_ID = required("workflow-id", "the workflow", anyText);

/** `opscore workflow`: what work there is. */
export function define(group: Command, host: Host): void {
  defineApply(group.command("apply"), host);
  defineList(group.command("list"), host);
  defineGet(group.command("get"), host);
  defineDelete(group.command("delete"), host);
  defineTrigger(group.command("trigger"), host);
  defineCancel(group.command("cancel"), host);
}

function defineApply(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Store workflows from files",
    details:
      "JSON or YAML, one definition or several. Nothing is stored unless all files can be used; what is wrong is told with file, line and field. Sessions that run go on with what they began with.",
    examples: [["opscore workflow apply flows/*.yaml", "store them, in place of those before"]],
    positionals: { files: rest("file", "files with definitions", anyText, 1) },
    flags: {},
    async run({ files }, { client, out, json, signal }) {
      for (const { workflow } of await readFiles(files)) {
        const answer = await client.workflows.putWorkflow({ workflow }, { signal });
        if (json) out.jsonLine(apiJson(PutWorkflowResponseSchema, answer));
        else {
          const done = answer.created ? "created" : "replaced";
          const { workflowId, tasks } = workflow;
          out.line([
            { text: printable(workflowId), look: "bold" },
            { text: `  ${done}, ${tasks.length} ${tasks.length === 1 ? "task" : "tasks"}`, look: "dim" },
          ]);
        }
      }
      return undefined;
    },
  });
}

async function readFiles(files: readonly string[]): Promise<readonly FileDefinition[]> {
  // Loaded only now, so that help comes at once.
  const { DefinitionFileError, readDefinitionFiles } = await import("../../services/workflows/definition-files.js");
  const { DEFAULT_LIMITS } = await import("../../services/limits.js");
  try {
    return await readDefinitionFiles(files, DEFAULT_LIMITS);
  } catch (error) {
    if (error instanceof DefinitionFileError) throw definitionFailure(error.problems);
    throw error;
  }
}

function defineList(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "List workflows",
    details: "In the order of their ids.",
    positionals: {},
    flags: { limit: optional("--limit <count>", "at most so many (default: all)", wholeNumber(1, 1_000_000)) },
    async run({ limit }, { client, io, out, err, json, signal }) {
      const { items, nextPageToken } = await collectPages(limit, async (page) => {
        const answer: ListWorkflowsResponse = await client.workflows.listWorkflows(page, { signal });
        return { items: answer.workflows, nextPageToken: answer.nextPageToken };
      });
      if (json) {
        const answer = { $typeName: ListWorkflowsResponseSchema.typeName, workflows: items, nextPageToken };
        out.json(apiJson(ListWorkflowsResponseSchema, answer));
      } else if (items.length === 0) {
        err.line([{ text: "no workflows", look: "dim" }]);
      } else {
        printWorkflows(out, items, io.scheduler.now());
        printRest(err, nextPageToken);
      }
      return undefined;
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one workflow",
    positionals: { workflowId: WORKFLOW_ID },
    flags: {},
    async run({ workflowId }, { client, io, out, json, signal }) {
      const answer = await client.workflows.getWorkflow({ workflowId }, { signal });
      if (json) out.json(apiJson(GetWorkflowResponseSchema, answer));
      else if (answer.workflow !== undefined) printWorkflow(out, answer.workflow, io.scheduler.now());
      return undefined;
    },
  });
}

function defineDelete(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Remove a workflow",
    details: "Sessions that run it go on.",
    positionals: { workflowId: WORKFLOW_ID },
    flags: { expectedRevision: optional("--if-revision <number>", "only if it has this revision", int64) },
    async run({ workflowId, ...options }, { client, out, json, signal }) {
      const answer = await client.workflows.deleteWorkflow({ workflowId, ...given(options) }, { signal });
      if (json) out.json(apiJson(DeleteWorkflowResponseSchema, answer));
      else
        out.line([
          { text: printable(workflowId), look: "bold" },
          { text: "  deleted", look: "dim" },
        ]);
      return undefined;
    },
  });
}

function defineTrigger(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Start a session that runs a workflow",
    details:
      "Its tasks go to the agent that is named, else to any agent with a task's capability; --capability is for tasks that name none.",
    examples: [
      ['opscore workflow trigger report --payload \'{"topic":"tides"}\'', "with what it is about"],
      ["opscore workflow trigger --file flows/report.yaml --agent writer-1", "without storing it first"],
    ],
    positionals: { workflowIds: rest("workflow-id", "the workflow, unless there is a --file", anyText, 0) },
    flags: {
      file: optional("--file <file>", "a file with the definition", anyText),
      agentId: optional("--agent <agent-id>", "the agent that gets every task", anyText),
      capability: optional("--capability <word>", "what agents must be able to do", anyText),
      initialPayload: optional("--payload <json>", "for the first tasks: a JSON object, @FILE, or -", jsonObject),
      sessionId: optional("--session-id <id>", "the session; not given: the server makes an id", anyText),
      metadata: optional("--metadata <json>", "kept on the session: a JSON object, @FILE, or -", jsonObject),
      requestId: optional("--request-id <id>", "makes the call safe to repeat for 10 minutes", anyText),
    },
    async run({ workflowIds, file, agentId, capability, ...options }, { client, io, out, json, signal }) {
      const answer = await client.workflows.triggerWorkflow(
        { target: target(agentId, capability), definition: await definition(workflowIds, file), ...given(options) },
        { signal },
      );
      if (json) out.json(apiJson(TriggerWorkflowResponseSchema, answer));
      else if (answer.session !== undefined) printSession(out, answer.session, io.scheduler.now());
      return undefined;
    },
  });
}

function target(agentId: string | undefined, capability: string | undefined) {
  if (agentId !== undefined && capability !== undefined) {
    throw usageFailure([
      { name: "--capability", description: "must not be given with --agent, which gets every task" },
    ]);
  }
  if (agentId !== undefined) return { case: "agentId", value: agentId } as const;
  return capability === undefined
    ? ({ case: undefined } as const)
    : ({ case: "capability", value: capability } as const);
}

async function definition(workflowIds: readonly string[], file: string | undefined) {
  const [workflowId, ...others] = workflowIds;
  if (others.length > 0 || (workflowId === undefined) === (file === undefined)) {
    throw usageFailure([{ name: "<workflow-id>", description: "must be given once, or --file instead of it" }]);
  }
  if (workflowId !== undefined) return { case: "workflowId", value: workflowId } as const;
  const [found, ...more] = await readFiles([file ?? ""]);
  if (found === undefined || more.length > 0) {
    throw usageFailure([{ name: "--file", description: `must hold one definition, and ${file} holds several` }]);
  }
  return { case: "workflow", value: found.workflow } as const;
}

function defineCancel(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Call a session off, and all of its tasks",
    details: "Agents that work on one are told.",
    positionals: { sessionId: required("session-id", "the session that runs the workflow", anyText) },
    flags: { message: optional("--message <text>", "why, for people", anyText) },
    async run({ sessionId, ...options }, { client, io, out, json, signal }) {
      const answer = await client.workflows.cancelWorkflow({ sessionId, ...given(options) }, { signal });
      if (json) out.json(apiJson(CancelWorkflowResponseSchema, answer));
      else if (answer.session !== undefined) printSession(out, answer.session, io.scheduler.now());
      return undefined;
    },
  });
}
