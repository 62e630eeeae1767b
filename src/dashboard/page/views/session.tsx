import type { JsonObject } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useMemo } from "preact/hooks";
import type { Session } from "../../../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus, type Task } from "../../../../gen/opscore/v1/task_service_pb.js";
import { graphOrder } from "../../../lib/task-graph.js";
import { formatAge } from "../../../lib/time-text.js";
import { sessionTable, taskTable } from "../live/sessions.js";
import { useLive, useNow } from "../live/use-live.js";
import { SessionBadge, TaskBadge } from "../parts/badge.js";
import { Field, Fields, Json, Moment } from "../parts/fields.js";
import { LongTable } from "../parts/long-table.js";
import { Page } from "../parts/page.js";
import { agentLink } from "../route.js";
import { useServer } from "../server.js";

/** One session with its tasks. */
export function SessionView({ sessionId }: { readonly sessionId: string }) {
  const { client } = useServer();
  const now = useNow();
  const sessions = useLive(() => sessionTable(client, { sessionIds: [sessionId] }), [client, sessionId]);
  const tasks = useLive(() => taskTable(client, sessionId), [client, sessionId]);
  const session = sessions.get(sessionId);
  const { rows } = tasks;
  return (
    <Page title={sessionId} condition={sessions.condition.kind === "live" ? tasks.condition : sessions.condition}>
      {session === undefined
        ? sessions.isComplete && <p class="empty">There is no such session. It appears when it is started.</p>
        : sessionFields(session, now)}
      {session !== undefined && (
        <>
          <h2>Tasks {rows.length > 0 && <span class="dim">{progressOf(rows)}</span>}</h2>
          <LongTable
            head={["Task", "Status", "Agent", "Attempt", "Took", "What came of it"]}
            rows={inGraphOrder(rows)}
            row={(placed) => <TaskLine key={placed.task.taskId} {...placed} now={now} />}
            empty={tasks.isComplete ? "It has no tasks." : ""}
          />
        </>
      )}
    </Page>
  );
}

function sessionFields(session: Session, now: number) {
  const { status, agentId, workflowId, error, startTime, result, metadata } = session;
  return (
    <Fields>
      <Field name="Status">
        <SessionBadge status={status} />
      </Field>
      <Field name="Error">{error}</Field>
      <Field name="Agent">{agentId !== "" && <a href={agentLink(agentId)}>{agentId}</a>}</Field>
      <Field name="Workflow">{workflowId}</Field>
      <Field name="Started">{startTime && <Moment time={startTime} now={now} />}</Field>
      <Field name="Took">{durationOf(session, now)}</Field>
      <Field name="Result">{result && <Json data={result} />}</Field>
      <Field name="Metadata">{metadata && <Json data={metadata} />}</Field>
    </Fields>
  );
}

/** How long it has taken so far, or took in all. */
export function durationOf({ startTime, endTime }: Session, now: number): string {
  if (startTime === undefined) return "";
  return formatAge((endTime === undefined ? now : timestampMs(endTime)) - timestampMs(startTime));
}

interface PlacedTask {
  readonly task: Task;
  /** How many tasks stand before it, on the longest way. */
  readonly depth: number;
}

function inGraphOrder(tasks: readonly Task[]): readonly PlacedTask[] {
  const byId = new Map(tasks.map((task) => [task.taskId, task]));
  return graphOrder(tasks).flatMap(({ taskId, depth }) => {
    const task = byId.get(taskId);
    return task === undefined ? [] : [{ task, depth }];
  });
}

function TaskLine({ task, depth, now }: PlacedTask & { readonly now: number }) {
  const { taskId, displayName, status, agentId, attempt, attemptsLeft, dependsOn } = task;
  return (
    <tr>
      <th
        scope="row"
        class={`depth-${Math.min(depth, 8)}`}
        title={dependsOn.length > 0 ? `after ${dependsOn.join(", ")}` : undefined}
      >
        {depth > 0 && <span class="dim">└ </span>}
        {taskId} <span class="dim">{displayName}</span>
      </th>
      <td>
        <TaskBadge status={status} />
      </td>
      <td class="id">{agentId !== "" && <a href={agentLink(agentId)}>{agentId}</a>}</td>
      <td class="number">{attempt > 0 && `${attempt} of ${attempt + attemptsLeft}`}</td>
      <td class="number">{lastAttempt(task, now)}</td>
      <td class="words">
        <Outcome task={task} />
      </td>
    </tr>
  );
}

function Outcome({ task: { reason, error, result } }: { readonly task: Task }) {
  if (reason !== "" || error !== "") {
    return (
      <span class="error">
        {reason !== "" && <span class="reason">{reason}</span>} {error}
      </span>
    );
  }
  return result === undefined ? null : <Result data={result} />;
}

/** Made into text once, not every second: two hundred of them may be large. */
function Result({ data }: { readonly data: JsonObject }) {
  const text = useMemo(() => JSON.stringify(data), [data]);
  return <code class="result">{text}</code>;
}

/** How long the last attempt has taken. */
function lastAttempt({ startTime, endTime, status }: Task, now: number): string {
  if (startTime === undefined || status === TaskStatus.PENDING || status === TaskStatus.READY) return "";
  return formatAge((endTime === undefined ? now : timestampMs(endTime)) - timestampMs(startTime));
}

function progressOf(tasks: readonly Task[]): string {
  const ended = tasks.filter(({ endTime }) => endTime !== undefined).length;
  return `${ended} of ${tasks.length} ended`;
}
