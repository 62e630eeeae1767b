import { randomBytes } from "node:crypto";
import type { Change } from "../records.js";
import type { LogListener, LogPage, LogTail, Position } from "../storage.js";
import { Tail } from "../tail.js";
import { Ring } from "./ring.js";

/** What a change takes beside its records, in bytes. */
const CHANGE_OVERHEAD = 128;

/** The log: the newest changes, bounded by count and bytes, and those who follow it. */
export class ChangeRing {
  /** Names this instance's history: what was in memory does not come back. */
  private readonly epoch = randomBytes(12).toString("base64url");
  private readonly changes = new Ring<Change>();
  /** Of each change, beside it: the oldest has long left the processor's cache when it is dropped. */
  private readonly sizes = new Ring<number>();
  private bytes = 0;
  private newest = 0;
  /** Replaced, never changed, so that a delivery goes through the tails of its own moment. */
  private tails: readonly Tail[] = [];

  constructor(
    private readonly capacity: number,
    private readonly maxBytes: number,
  ) {}

  /** The revision that the next commit gets. */
  get nextRevision(): number {
    return this.newest + 1;
  }

  get head(): Position {
    return this.after(this.newest);
  }

  /**
   * Appends one commit and hands it to all tails, which see the storage as it is after it.
   *
   * @param change with `nextRevision` as its revision
   */
  append(change: Change): void {
    this.newest = change.revision;
    this.changes.push(change);
    const size = bytesOf(change);
    this.sizes.push(size);
    this.bytes += size;
    while (this.changes.length > this.capacity || (this.bytes > this.maxBytes && this.changes.length > 1)) {
      this.changes.shift();
      this.bytes -= this.sizes.shift() ?? 0;
    }
    if (this.tails.length > 0) this.deliver(change);
  }

  read(from: Position, limit: number): LogPage {
    if (from.epoch !== this.epoch) return { lost: "epoch" };
    const [revision] = from.revisions;
    if (revision === undefined || from.revisions.length !== 1) return { lost: "epoch" };
    if (revision > this.newest) return { lost: "ahead" };
    const first = this.changes.length - (this.newest - revision);
    if (first < 0) return { lost: "truncated" };
    const end = Math.min(first + limit, this.changes.length);
    const changes: Change[] = [];
    for (let index = first; index < end; index += 1) {
      const change = this.changes.at(index);
      if (change !== undefined) changes.push(change);
    }
    const last = revision + changes.length;
    return { lost: undefined, changes, position: this.after(last), atHead: last === this.newest };
  }

  tail(listener: LogListener): LogTail {
    const tail = new Tail(this.head, listener, (closed) => {
      this.tails = this.tails.filter((other) => other !== closed);
    });
    this.tails = [...this.tails, tail];
    return tail;
  }

  close(): void {
    for (const tail of this.tails) tail.close();
  }

  private deliver(change: Change): void {
    const changes = [change];
    for (const tail of this.tails) if (!tail.closed) tail.listener.onChanges(changes);
  }

  private after(revision: number): Position {
    return { epoch: this.epoch, revisions: [revision] };
  }
}

function bytesOf(change: Change): number {
  if (change.kind === "task") return CHANGE_OVERHEAD + change.task.size;
  if (change.kind === "session") return CHANGE_OVERHEAD + change.session.size;
  return CHANGE_OVERHEAD + change.state.size + (change.agent?.record.size ?? 0);
}
