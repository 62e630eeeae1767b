/**
 * The storage contract as a test suite. A storage is finished when it passes; a topology too (a single node, a cluster, two
 * replicas on one store).
 *
 *     describeStorageContract("memory", async (limits) => ({ storage, replica: storage, advance, close }));
 *
 * The suite assumes neither answers without waiting, nor one partition, nor a clock of its own: where time must pass it calls
 * `advance`, and it compares the order of changes only within one entity.
 */
import { describe } from "vitest";
import { brakeContract } from "./storage/brake.js";
import { claimsContract } from "./storage/claims.js";
import type { StorageFactory } from "./storage/harness.js";
import { documentsContract } from "./storage/documents.js";
import { heldReportsContract } from "./storage/held-reports.js";
import { historyContract } from "./storage/history.js";
import { lateReportsContract } from "./storage/late-reports.js";
import { leasesContract } from "./storage/leases.js";
import { listsContract } from "./storage/lists.js";
import { logContract } from "./storage/log.js";
import { namespacesContract } from "./storage/namespaces.js";
import { pageSizesContract } from "./storage/page-sizes.js";
import { preconditionsContract } from "./storage/preconditions.js";
import { racesContract } from "./storage/races.js";
import { registrationContract } from "./storage/registration.js";
import { repeatsContract } from "./storage/repeats.js";
import { reportsContract } from "./storage/reports.js";
import { sessionsContract } from "./storage/sessions.js";
import { snapshotsContract } from "./storage/snapshots.js";
import { sessionEndsContract } from "./storage/session-ends.js";
import { slotsContract } from "./storage/slots.js";
import { taskEndsContract } from "./storage/task-ends.js";
import { taskGraphsContract } from "./storage/task-graphs.js";
import { taskLeasesContract } from "./storage/task-leases.js";
import { taskListsContract } from "./storage/task-lists.js";
import { taskRacesContract } from "./storage/task-races.js";
import { taskRetriesContract } from "./storage/task-retries.js";
import { tasksContract } from "./storage/tasks.js";
import { taskSnapshotsContract } from "./storage/task-snapshots.js";
import { taskTimesContract } from "./storage/task-times.js";
import { updatesContract } from "./storage/updates.js";
import { workflowsContract } from "./storage/workflows.js";

export type { StorageFactory, StorageHarness, StorageLimits } from "./storage/harness.js";

const AREAS: readonly ((factory: StorageFactory) => void)[] = [
  registrationContract,
  updatesContract,
  reportsContract,
  lateReportsContract,
  preconditionsContract,
  repeatsContract,
  heldReportsContract,
  leasesContract,
  brakeContract,
  historyContract,
  listsContract,
  sessionsContract,
  logContract,
  snapshotsContract,
  racesContract,
  claimsContract,
  documentsContract,
  namespacesContract,
  tasksContract,
  taskLeasesContract,
  taskEndsContract,
  taskRetriesContract,
  taskTimesContract,
  taskGraphsContract,
  sessionEndsContract,
  slotsContract,
  workflowsContract,
  taskListsContract,
  pageSizesContract,
  taskSnapshotsContract,
  taskRacesContract,
];

/**
 * Declares the contract's cases for one storage.
 *
 * @param factory makes an empty storage for each case
 */
export function describeStorageContract(name: string, factory: StorageFactory): void {
  describe(`storage contract: ${name}`, () => {
    for (const declare of AREAS) declare(factory);
  });
}
