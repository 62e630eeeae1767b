import { afterEach, beforeEach } from "vitest";
import { OpsCoreError, type Reason } from "../../../src/errors/index.js";
import type { Awaitable } from "../../../src/lib/awaitable.js";
import type { Change } from "../../../src/storage/records.js";
import type { Storage } from "../../../src/storage/storage.js";
import { describeChange } from "./events.js";
import { Journal } from "./journal.js";

/** Limits that some cases need small. A storage that has no such limit by itself must be given one. */
export interface StorageLimits {
  /** Changes kept in the log of each partition. */
  readonly logCapacity?: number;
  readonly historyLimit?: number;
  readonly historyAgeMs?: number;
  readonly maxHeldReportsPerAgent?: number;
  readonly maxHeldReports?: number;
}

/** One empty storage and the means to test it. */
export interface StorageHarness {
  readonly storage: Storage;
  /** The same data through another replica; `storage` itself where there is only one. */
  readonly replica: Storage;
  /** Lets time pass by the storage's clock. Only a storage with a fake clock can do so without waiting. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

export type StorageFactory = (limits: StorageLimits) => Promise<StorageHarness>;

/** What a case works on; fresh for each one. */
export interface Subject {
  readonly storage: Storage;
  readonly replica: Storage;
  readonly advance: (ms: number) => Promise<void>;
  /** The changes since the last call, or since the case began. */
  readonly changes: () => Promise<readonly Change[]>;
  /** The same, one line each; see `describeChange`. */
  readonly events: () => Promise<readonly string[]>;
}

/** Opens a storage before each case of the current `describe` and closes it after. */
export function useStorage(factory: StorageFactory, limits: StorageLimits = {}): Subject {
  let harness: StorageHarness | undefined;
  let journal: Journal | undefined;
  beforeEach(async () => {
    harness = await factory(limits);
    journal = await Journal.open(harness.storage);
  });
  afterEach(async () => {
    await harness?.close();
    harness = undefined;
  });
  const current = (): StorageHarness => {
    if (harness === undefined) throw new Error("a storage is there only while a case runs");
    return harness;
  };
  const changes = async (): Promise<readonly Change[]> => (await journal?.next()) ?? [];
  return {
    get storage() {
      return current().storage;
    },
    get replica() {
      return current().replica;
    },
    advance: (ms) => current().advance(ms),
    changes,
    events: async () => (await changes()).map(describeChange),
  };
}

/** What became of a call: either may be thrown at once or come with a promise. */
export type Outcome<T> =
  { readonly value: T; readonly failure?: undefined } | { readonly value?: undefined; readonly failure: OpsCoreError };

export async function attempt<T>(call: () => Awaitable<T>): Promise<Outcome<T>> {
  try {
    return { value: await call() };
  } catch (thrown) {
    if (thrown instanceof OpsCoreError) return { failure: thrown };
    throw thrown;
  }
}

/** The failure of a call that must fail. */
export async function failureOf(call: () => Awaitable<unknown>): Promise<OpsCoreError> {
  const outcome = await attempt(call);
  if (outcome.failure === undefined) throw new Error(`expected a failure, got ${JSON.stringify(outcome.value)}`);
  return outcome.failure;
}

/** The reason of a call's failure, or `undefined` for one that succeeded. */
export async function reasonOf(call: () => Awaitable<unknown>): Promise<Reason | undefined> {
  return (await attempt(call)).failure?.reason;
}

/** The value of what must be there. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("expected a value, got undefined");
  return value;
}

/** `count` results of `make(0)`, `make(1)`, … */
export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
