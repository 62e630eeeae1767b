import type { Position } from "../storage/storage.js";

/** What one message of a watch is. The numbers are those of `opscore.v1.WatchKind`. */
export const BatchKind = { SNAPSHOT: 1, SYNCED: 2, EVENTS: 3, PROGRESS: 4, RESYNC: 5 } as const;
export type BatchKind = (typeof BatchKind)[keyof typeof BatchKind];

/** Batches are cut so that a message stays far below the 4 MiB that gRPC clients take by default. */
export const MAX_BATCH_BYTES = 256 * 1024;
export const MAX_BATCH_ITEMS = 512;

/** What a batch says, for the one who makes a message of it. */
export interface BatchContent<E, I> {
  readonly kind: BatchKind;
  /** EVENTS: in commit order. */
  readonly events: readonly E[];
  /** SNAPSHOT: current entities. */
  readonly items: readonly I[];
  /** Empty where the stream could not be continued after this batch. */
  readonly resumeToken: string;
}

/** Makes the message of a batch; called once for each batch, however many watchers get it. */
export type Present<E, I, M> = (content: BatchContent<E, I>) => M;

/**
 * One message of a watch, shared by all watchers that get it: it is made when the first of them takes it, and the transport
 * encodes it once because it is the same object for all.
 */
export class Batch<E, M> {
  private made: M | undefined;

  constructor(
    readonly kind: BatchKind,
    /** Where a watcher stands that has taken this batch; undefined where it could not go on from here. */
    readonly position: Position | undefined,
    /** How many events or items it holds. */
    readonly count: number,
    /** About how many bytes its message takes. */
    readonly size: number,
    /** The events, when some of them remove entities or bring them back. */
    readonly existence: readonly E[] | undefined,
    private readonly make: () => M,
  ) {}

  get message(): M {
    return (this.made ??= this.make());
  }
}

/** Cuts a list into batches by count and size; at least one element each. */
export function* cut<T>(
  elements: readonly T[],
  sizeOf: (element: T) => number,
): Generator<{ part: readonly T[]; size: number }> {
  let start = 0;
  let size = 0;
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i];
    if (element === undefined) continue;
    const next = sizeOf(element);
    if (i > start && (size + next > MAX_BATCH_BYTES || i - start >= MAX_BATCH_ITEMS)) {
      yield { part: elements.slice(start, i), size };
      start = i;
      size = 0;
    }
    size += next;
  }
  if (start < elements.length) yield { part: start === 0 ? elements : elements.slice(start), size };
}
