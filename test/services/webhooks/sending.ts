/** Webhooks that are sent by replicas, and what they ask of their storage. */
import { onTestFinished } from "vitest";
import type { State } from "../../../gen/opscore/v1/common_pb.js";
import type { OpsCoreError } from "../../../src/errors/index.js";
import { WebhookDeliveries, type WebhookDeliveriesOptions } from "../../../src/services/webhooks/deliveries.js";
import type { Storage, WriteDocument } from "../../../src/storage/storage.js";
import type { MemoryStorageOptions } from "../../../src/storage/memory/index.js";
import { createHarness } from "../harness.js";
import type { Receiver } from "./receiver.js";

const FAST = { pollMs: 5, beatMs: 10, initialBackoffMs: 1, maxBackoffMs: 4, allowInside: true };

/** The services, and replicas that send for them. @param wrap may give another storage than the one in memory */
export function setUp(memory: MemoryStorageOptions = {}, wrap?: (storage: Storage) => Storage) {
  const harness = createHarness({ memory, limits: { webhooksInside: true }, ...(wrap !== undefined && { wrap }) });
  const failures: unknown[] = [];
  const unreadable: OpsCoreError[] = [];
  const replica = (options: Partial<WebhookDeliveriesOptions> = {}): WebhookDeliveries => {
    const deliveries = new WebhookDeliveries(harness.storage, {
      clock: harness.clock,
      watchState: harness.services.states.watchState,
      onFailure: (thrown) => failures.push(thrown),
      onUnreadable: (failure) => unreadable.push(failure),
      ...FAST,
      ...options,
    });
    onTestFinished(() => deliveries.stop());
    deliveries.start();
    return deliveries;
  };
  const report = (agentId: string, state: State, message = "") => harness.states.setState({ agentId, state, message });
  return { ...harness, failures, unreadable, replica, report };
}

/** The numbers of the deliveries, in the order in which they came. */
export const numbers = ({ received }: Receiver): string[] =>
  received.map(({ headers }) => String(headers["x-opscore-delivery"]));

/** What a test holds up until it likes. */
export class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

/** Counts what is asked of a storage, while it is asked. */
class Counter {
  count = 0;
  private wake: (() => void) | undefined;

  add(): void {
    this.count += 1;
    this.wake?.();
  }

  /** Answers after so many in all. */
  async atLeast(wanted: number): Promise<void> {
    while (this.count < wanted) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}

/** Counts how often it was looked which webhooks there are. */
export function looksOf(storage: Storage): Counter {
  const counter = new Counter();
  const list = storage.listDocuments.bind(storage);
  storage.listDocuments = (query) => {
    if (query.kind === "webhook") counter.add();
    return list(query);
  };
  return counter;
}

/** Counts the documents that are written, of those that are wanted. */
export function eventsOf(storage: Storage, isWanted: (command: WriteDocument) => boolean): Counter {
  const counter = new Counter();
  const write = storage.writeDocument.bind(storage);
  storage.writeDocument = (command) => {
    const written = write(command);
    if (isWanted(command)) counter.add();
    return written;
  };
  return counter;
}
