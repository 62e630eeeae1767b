/**
 * Definitions as plain data: how people write them in files, and how the older format has them, `{id, name, version, tasks: [{taskId,
 * name, agentCapability, parameters, nextTaskId}]}`. One reader takes both, because they differ in names only: `id` and `name` stand
 * for the longer names, and `nextTaskId` makes the task that it names depend on the one that has it.
 */
import type { RetryPolicy, TaskDefinition, Workflow } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { excerpt, type Violations } from "../validation/index.js";
import { DataObject, type OnPlace, type Where } from "./data-object.js";

const WORKFLOW_ALIASES = { id: "workflow_id", name: "display_name" };
const TASK_ALIASES = { id: "task_id", name: "display_name" };
/** What the server adds, and what is therefore found where a definition was saved from an answer. */
const ADDED_BY_SERVER = ["create_time", "update_time", "revision"];

/** Reads a definition: what has the wrong type, or is not known, is a violation. The rest is for `readDefinition` to judge. */
export function readWorkflowData(bad: Violations, data: unknown, onPlace: OnPlace): Workflow {
  const object = new DataObject(bad, data, { field: "", place: [] }, onPlace, WORKFLOW_ALIASES);
  const links: Link[] = [];
  const workflow: Workflow = {
    $typeName: "opscore.v1.Workflow",
    workflowId: object.text("workflow_id"),
    displayName: object.text("display_name"),
    description: object.text("description"),
    version: object.text("version"),
    tasks: object.list("tasks", (value, where) => readTask(bad, value, where, onPlace, links)),
    revision: 0n,
  };
  object.finish(ADDED_BY_SERVER);
  connect(bad, workflow.tasks, links, onPlace);
  return workflow;
}

/** One task names the task that comes after it. */
interface Link extends Where {
  readonly from: string;
  readonly to: string;
}

function readTask(bad: Violations, data: unknown, where: Where, onPlace: OnPlace, links: Link[]): TaskDefinition {
  const object = new DataObject(bad, data, where, onPlace, TASK_ALIASES);
  const task: TaskDefinition = {
    $typeName: "opscore.v1.TaskDefinition",
    taskId: object.text("task_id"),
    displayName: object.text("display_name"),
    agentCapability: object.text("agent_capability"),
    parameters: object.struct("parameters"),
    dependsOn: object.texts("depends_on"),
    timeout: object.duration("timeout"),
    retry: object.object("retry", (value, at) => readRetry(bad, value, at, onPlace)),
    priority: object.whole("priority"),
    startDelay: object.duration("start_delay"),
  };
  const to = object.text("next_task_id");
  const [field, place] = [object.at("next_task_id"), object.placeOf("next_task_id")];
  if (to !== "") links.push({ from: task.taskId, to, field, place });
  object.finish();
  return task;
}

function readRetry(bad: Violations, data: unknown, where: Where, onPlace: OnPlace): RetryPolicy {
  const object = new DataObject(bad, data, where, onPlace);
  const retry: RetryPolicy = {
    $typeName: "opscore.v1.RetryPolicy",
    maxAttempts: object.whole("max_attempts"),
    initialBackoff: object.duration("initial_backoff"),
    maxBackoff: object.duration("max_backoff"),
    multiplier: object.number("multiplier"),
  };
  object.finish();
  return retry;
}

/** Makes each task that another one names wait for that one. */
function connect(bad: Violations, tasks: readonly TaskDefinition[], links: readonly Link[], onPlace: OnPlace): void {
  const places = new Map(tasks.map(({ taskId }, i) => [taskId, i]));
  for (const { from, to, field, place } of links) {
    const index = places.get(to);
    const task = index === undefined ? undefined : tasks[index];
    if (task === undefined) {
      bad.add(field, `must be the id of a task of this workflow; ${excerpt(to)} is none`);
    } else if (!task.dependsOn.includes(from)) {
      onPlace({ field: `tasks[${index}].depends_on[${task.dependsOn.length}]`, place });
      task.dependsOn.push(from);
    }
  }
}
