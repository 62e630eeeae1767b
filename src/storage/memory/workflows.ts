import { workflowNotFound } from "../../errors/index.js";
import type { WorkflowRecord } from "../records.js";
import { pageLength } from "../pages.js";
import { workflowMismatch } from "../refusals.js";
import { workflowSize } from "../sizes.js";
import type { DeleteWorkflow, ListWorkflows, Page, PutWorkflow, StoredWorkflow, WorkflowKey } from "../storage.js";
import type { Commits } from "./commits.js";
import { decodeIdCursor, encodeIdCursor } from "./cursor.js";
import type { Namespaces } from "./entries.js";

/** The stored definitions of work. They are not in the log. */
export class Workflows {
  private newest = 0;

  constructor(
    private readonly namespaces: Namespaces,
    private readonly commits: Commits,
  ) {}

  put(command: PutWorkflow): StoredWorkflow {
    const { namespace, workflowId, displayName, description, version, tasks, expectedRevision } = command;
    const before = this.get(command);
    checkRevision(workflowId, before?.revision ?? 0, expectedRevision);
    const table = this.namespaces.getOrCreate(namespace);
    const time = this.commits.commitTime;
    this.newest += 1;
    const workflow = {
      namespace,
      workflowId,
      displayName,
      description,
      version,
      tasks,
      createTime: before?.createTime ?? time,
      updateTime: time,
      revision: this.newest,
    };
    table.workflows.set(workflowId, workflow);
    return { workflow, created: before === undefined };
  }

  get({ namespace, workflowId }: WorkflowKey): WorkflowRecord | undefined {
    return this.namespaces.get(namespace)?.workflows.get(workflowId);
  }

  list({ namespace, limit, cursor }: ListWorkflows): Page<WorkflowRecord> {
    const after = decodeIdCursor("w", cursor);
    const workflows = this.namespaces.get(namespace)?.workflows ?? new Map<string, WorkflowRecord>();
    const ids = [...workflows.keys()].filter((id) => id > after).sort();
    const found = ids.slice(0, limit).flatMap((id) => workflows.get(id) ?? []);
    const items = found.slice(0, pageLength(found, limit, workflowSize));
    const last = items.at(-1);
    const isAll = last === undefined || ids.length === items.length;
    return { items, next: isAll ? undefined : encodeIdCursor("w", last.workflowId) };
  }

  delete(command: DeleteWorkflow): WorkflowRecord {
    const workflow = this.get(command);
    if (workflow === undefined) throw workflowNotFound(command.workflowId);
    checkRevision(workflow.workflowId, workflow.revision, command.expectedRevision);
    const table = this.namespaces.getOrCreate(command.namespace);
    table.workflows.delete(workflow.workflowId);
    this.namespaces.dropIfEmpty(table);
    return workflow;
  }
}

/** @param expected 0: any */
function checkRevision(workflowId: string, current: number, expected: number): void {
  if (expected !== 0 && expected !== current) throw workflowMismatch(workflowId, current);
}
