/**
 * Values that are pushed into who takes them, without a promise for each: the other direction of a push source. A fast transport
 * pushes what it reads; everything else is iterated over.
 */

/** What values are pushed into. */
export interface PushSink<T> {
  /** Nothing is taken any more; what still comes is dropped. */
  readonly isEnded: boolean;
  /** Takes one value. False: it has enough, and gets no more before it calls back. */
  receive(value: T): boolean;
  /** Nothing more comes. @param failure why, when it was not simply the end */
  end(failure?: unknown): void;
  /** Sets what is called when there is room again, or when nothing is taken any more. */
  onRoom(callback: () => void): void;
}

/** An iterable that would rather push. It has one reader: either somebody iterates, or it pushes. */
export abstract class PushIterable<T> implements AsyncIterable<T> {
  /** Pushes what there is, now, and what comes, when it comes. To be called once, instead of iterating. */
  abstract pushTo(sink: PushSink<T>): void;

  abstract [Symbol.asyncIterator](): AsyncIterator<T>;
}

export function isPushIterable<T>(values: AsyncIterable<T>): values is PushIterable<T> {
  return values instanceof PushIterable;
}
