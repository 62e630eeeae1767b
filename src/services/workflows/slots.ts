/**
 * Gives agents back the room that tasks took, once those have ended or are to be tried again. The commit has been made by then, so
 * nothing here fails a call or keeps it waiting: a slot that stays behind is found by the scheduler when it finds no room because of
 * it.
 */
import { isPromise } from "../../lib/awaitable.js";
import { TaskStatus, type TaskRecord } from "../../storage/records.js";
import type { SessionKey, TaskStorage } from "../../storage/storage.js";

/** How many tasks are read at once. */
const PAGE = 1_000;

/** Frees what the last attempt of a task took. */
export function releaseSlot(storage: Pick<TaskStorage, "releaseSlot">, task: TaskRecord): void {
  const { namespace, agentId, sessionId, taskId, attempt } = task;
  if (agentId === "") return;
  try {
    const released = storage.releaseSlot({ namespace, agentId, sessionId, taskId, attempt });
    if (isPromise(released)) released.catch(ignore);
  } catch {
    // As above.
  }
}

/** Frees what the tasks took that were called off with their session. */
export function releaseSlotsOf(storage: Pick<TaskStorage, "releaseSlot" | "listTasks">, session: SessionKey): void {
  releaseAll(storage, session).catch(ignore);
}

async function releaseAll(
  storage: Pick<TaskStorage, "releaseSlot" | "listTasks">,
  { namespace, sessionId }: SessionKey,
): Promise<void> {
  let cursor: string | undefined;
  do {
    const query = { namespace, sessionId, agentId: "", statuses: [TaskStatus.CANCELLED], limit: PAGE, cursor };
    const page = await storage.listTasks(query);
    for (const task of page.items) releaseSlot(storage, task);
    cursor = page.next;
  } while (cursor !== undefined);
}

function ignore(): void {
  // As above.
}
