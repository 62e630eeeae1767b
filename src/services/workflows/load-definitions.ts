import { OpsCoreError } from "../../errors/index.js";
import type { PutWorkflow, TaskStorage } from "../../storage/storage.js";
import { DEFAULT_NAMESPACE } from "../caller.js";
import type { Limits } from "../limits.js";
import { id, Violations } from "../validation/index.js";
import { readDefinition, type Definition } from "./definition.js";
import type { FileDefinition } from "./definition-files.js";

/** How often a definition is tried again that somebody else changes at the same time. Each time they have made progress. */
const MAX_ATTEMPTS = 20;

/** What became of the definitions, by their ids. */
export interface Loaded {
  readonly stored: readonly string[];
  readonly unchanged: readonly string[];
}

/**
 * Stores definitions from files. One that is stored already stays as it is: it gets no new revision at each start of each server.
 *
 * @throws OpsCoreError INVALID_FIELD, and whatever the storage fails with
 */
export async function loadDefinitions(
  storage: Pick<TaskStorage, "getWorkflow" | "putWorkflow">,
  definitions: readonly FileDefinition[],
  limits: Limits,
): Promise<Loaded> {
  const loaded = { stored: [] as string[], unchanged: [] as string[] };
  for (const { workflow } of definitions) {
    const bad = new Violations();
    const workflowId = id(bad, "workflow_id", workflow.workflowId);
    const definition = readDefinition(bad, "", workflow, limits);
    bad.throwIfAny();
    const isStored = await store(storage, {
      namespace: DEFAULT_NAMESPACE,
      workflowId,
      ...definition,
      expectedRevision: 0,
    });
    (isStored ? loaded.stored : loaded.unchanged).push(workflowId);
  }
  return loaded;
}

/** @returns whether it was not there yet as it is */
async function store(
  storage: Pick<TaskStorage, "getWorkflow" | "putWorkflow">,
  command: PutWorkflow,
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    const current = await storage.getWorkflow(command);
    if (current !== undefined && contentOf(current) === contentOf(command)) return false;
    try {
      await storage.putWorkflow({ ...command, expectedRevision: current?.revision ?? 0 });
      return true;
    } catch (error) {
      const wasChanged = error instanceof OpsCoreError && error.reason === "STATE_MISMATCH";
      if (!wasChanged || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

/** The definition as text that is the same for the same content, whatever the order of the keys in free data. */
function contentOf({ displayName, description, version, tasks }: Definition): string {
  return JSON.stringify([displayName, description, version, tasks], (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
