import { Ring } from "./ring.js";

/** Closing fewer gaps than this is not worth it. */
const MIN_GAPS = 64;

/**
 * A queue of which the oldest is dropped, and from which others may be taken back. One that was taken back leaves a gap, which is passed
 * over when its turn comes; when gaps outnumber the others they are closed. So each step costs the same, however long it is.
 */
export class AgeQueue<T> {
  private ring = new Ring<T>();
  private gaps = 0;

  /** @param isCurrent whether an item was not taken back */
  constructor(private readonly isCurrent: (item: T) => boolean) {}

  /** How many there are, without the gaps. */
  get size(): number {
    return this.ring.length - this.gaps;
  }

  /** The oldest that was not taken back. */
  get oldest(): T | undefined {
    for (let item = this.ring.at(0); item !== undefined; item = this.ring.at(0)) {
      if (this.isCurrent(item)) return item;
      this.ring.shift();
      this.gaps -= 1;
    }
    return undefined;
  }

  push(item: T): void {
    this.ring.push(item);
  }

  /** Drops {@link oldest}. */
  shift(): void {
    if (this.oldest !== undefined) this.ring.shift();
  }

  /** One of the items was taken back: it is not current any more. */
  leaveGap(): void {
    this.gaps += 1;
    if (this.gaps < MIN_GAPS || this.gaps * 2 < this.ring.length) return;
    const { ring } = this;
    this.ring = new Ring();
    for (let index = 0; index < ring.length; index += 1) {
      const item = ring.at(index);
      if (item !== undefined && this.isCurrent(item)) this.ring.push(item);
    }
    this.gaps = 0;
  }
}
