import type { Command } from "commander";
import {
  CancelWorkflowResponseSchema,
  DeleteWorkflowResponseSchema,
  GetWorkflowResponseSchema,
  ListWorkflowsResponseSchema,
  PutWorkflowResponseSchema,
  TriggerWorkflowResponseSchema,
} from "../../../gen/opscore/v1/workflow_service_pb.js";
import type { FileDefinition } from "../../services/workflows/definition-files.js";
import { showDeleted, showItem, showList } from "../answers.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { LIMIT, REQUEST_ID } from "../common-flags.js";
import { implementCall } from "../connection.js";
import { definitionFailure } from "../definitions.js";
import { usageFailure } from "../failure.js";
import { optional, required, rest } from "../flags.js";
import { given } from "../given.js";
import { anyText, int64, jsonObject } from "../readers.js";
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
    flags: { limit: LIMIT },
    async run({ limit }, context) {
      const { client, signal } = context;
      return showList(context, limit, {
        schema: ListWorkflowsResponseSchema,
        field: "workflows",
        none: "no workflows",
        read: (page) => client.workflows.listWorkflows(page, { signal }),
        print: printWorkflows,
      });
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one workflow",
    positionals: { workflowId: WORKFLOW_ID },
    flags: {},
    async run({ workflowId }, context) {
      const { client, signal } = context;
      const answer = await client.workflows.getWorkflow({ workflowId }, { signal });
      return showItem(context, GetWorkflowResponseSchema, answer, answer.workflow, printWorkflow);
    },
  });
}

function defineDelete(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Remove a workflow",
    details: "Sessions that run it go on.",
    positionals: { workflowId: WORKFLOW_ID },
    flags: { expectedRevision: optional("--if-revision <number>", "only if it has this revision", int64) },
    async run({ workflowId, ...options }, context) {
      const { client, signal } = context;
      const answer = await client.workflows.deleteWorkflow({ workflowId, ...given(options) }, { signal });
      return showDeleted(context, DeleteWorkflowResponseSchema, answer, workflowId);
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
      requestId: REQUEST_ID,
    },
    async run({ workflowIds, file, agentId, capability, ...options }, context) {
      const { client, signal } = context;
      const answer = await client.workflows.triggerWorkflow(
        { target: target(agentId, capability), definition: await definition(workflowIds, file), ...given(options) },
        { signal },
      );
      return showItem(context, TriggerWorkflowResponseSchema, answer, answer.session, printSession);
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
    async run({ sessionId, ...options }, context) {
      const { client, signal } = context;
      const answer = await client.workflows.cancelWorkflow({ sessionId, ...given(options) }, { signal });
      return showItem(context, CancelWorkflowResponseSchema, answer, answer.session, printSession);
    },
  });
}
