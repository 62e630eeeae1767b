import type { WorkflowRecord } from "../records.js";
import { pageLength } from "../pages.js";
import { workflowSize } from "../sizes.js";
import type { DeleteWorkflow, ListWorkflows, Page, PutWorkflow, StoredWorkflow, WorkflowKey } from "../storage.js";
import type { Commands } from "./commands.js";
import { decodeIdCursor, encodeIdCursor } from "./cursor.js";
import { decodeWorkflow } from "./decode-tasks.js";
import { encodeWorkflow } from "./encode.js";
import { isRefusal, workflowRefusal } from "./failures.js";

/** How many records are read at once: each may be large. */
const AT_ONCE = 16;

/** Where one workflow is. */
interface Place {
  readonly partition: number;
  readonly key: string;
}

/** The stored definitions of work. They are not in the log. */
export class Workflows {
  constructor(private readonly commands: Commands) {}

  async put(command: PutWorkflow): Promise<StoredWorkflow> {
    const { namespace, workflowId, expectedRevision } = command;
    const { partition, key } = this.place(command);
    const args = [namespace, workflowId, String(expectedRevision), encodeWorkflow(command)];
    const answer = await this.commands.text("put-workflow", partition, args);
    if (isRefusal(answer)) throw workflowRefusal(answer, workflowId);
    return { workflow: decodeWorkflow(answer.slice(1), command, key), created: answer.startsWith("1") };
  }

  async get(workflowKey: WorkflowKey): Promise<WorkflowRecord | undefined> {
    const { key } = this.place(workflowKey);
    const text = await this.commands.read(key, (client) => client.get(key));
    return text === null ? undefined : decodeWorkflow(text, workflowKey, key);
  }

  /** First the ids of every partition, which cost little, then the records, some at a time, until the page is full. */
  async list({ namespace, limit, cursor }: ListWorkflows): Promise<Page<WorkflowRecord>> {
    const after = decodeIdCursor(cursor);
    const { keys } = this.commands;
    const ids = await Promise.all(
      keys.all.map((partition) => {
        const key = keys.workflows(partition, namespace);
        const from = after === undefined ? "-" : `(${after}`;
        return this.commands.read(key, (client) => client.zrangebylex(key, from, "+", "LIMIT", 0, limit + 1));
      }),
    );
    const found = ids.flat().sort();
    const listed = found.slice(0, limit);
    const records: WorkflowRecord[] = [];
    for (let at = 0; at < listed.length && pageLength(records, limit, workflowSize) === records.length; at += AT_ONCE) {
      const some = listed.slice(at, at + AT_ONCE);
      const read = await Promise.all(some.map((workflowId) => this.get({ namespace, workflowId })));
      // One may have been deleted meanwhile.
      records.push(...read.filter((record) => record !== undefined));
    }
    const items = records.slice(0, pageLength(records, limit, workflowSize));
    const last = items.length < records.length ? items.at(-1)?.workflowId : listed.at(-1);
    const isAll = last === undefined || last === found.at(-1);
    return { items, next: isAll ? undefined : encodeIdCursor(last) };
  }

  async delete(command: DeleteWorkflow): Promise<WorkflowRecord> {
    const { namespace, workflowId, expectedRevision } = command;
    const { partition, key } = this.place(command);
    const args = [namespace, workflowId, String(expectedRevision)];
    const answer = await this.commands.text("delete-workflow", partition, args);
    if (isRefusal(answer)) throw workflowRefusal(answer, workflowId);
    return decodeWorkflow(answer, command, key);
  }

  private place({ namespace, workflowId }: WorkflowKey): Place {
    const { keys } = this.commands;
    const partition = keys.partitionOf(namespace, workflowId);
    return { partition, key: keys.workflow(partition, namespace, workflowId) };
  }
}
