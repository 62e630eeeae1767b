const INITIAL_SLOTS = 16;
/** Knuth's multiplicative hash: 2^32 divided by the golden ratio, made odd. */
const GOLDEN = 0x9e3779b1;

/**
 * The open streams of a connection by their number: open addressing with linear probing, without tombstones (Knuth, TAOCP 6.4,
 * algorithm R).
 *
 * Not a Map, for the sake of the garbage collector. V8 gives a Map that something is added to and deleted from all the time one new
 * table after the other, and has each that was replaced point to its successor. Once one of them was promoted to the old generation,
 * no collection of the young one can free those after it, nor the streams in them: all calls are promoted, until the next full
 * collection. Here the arrays stay the same, and what is deleted is gone.
 *
 * A client that chooses its numbers so that they collide makes each search as long as it has streams open, and those are limited.
 */
export class StreamTable<T> {
  /** 0: free. There are always free slots: every search ends at one. */
  private ids: number[] = filled(INITIAL_SLOTS, 0);
  private streams: (T | undefined)[] = filled(INITIAL_SLOTS, undefined);
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(id: number): T | undefined {
    return this.streams[this.find(id)];
  }

  /** @param id from 1, and none that is in the table */
  add(id: number, stream: T): void {
    // At most half full: what is searched for is then found after 1.5 looks, what is not there after 2.5.
    if (this.count * 2 >= this.ids.length) this.grow();
    const slot = this.find(id);
    this.ids[slot] = id;
    this.streams[slot] = stream;
    this.count += 1;
  }

  delete(id: number): void {
    const { ids, streams } = this;
    const mask = ids.length - 1;
    let free = this.find(id);
    if (ids[free] === 0) return;
    this.count -= 1;
    // Whatever would not be found behind the gap moves into it, and leaves the next one.
    for (let slot = (free + 1) & mask; ids[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.home(ids[slot] ?? 0);
      if (((slot - home) & mask) < ((slot - free) & mask)) continue;
      ids[free] = ids[slot] ?? 0;
      streams[free] = streams[slot];
      free = slot;
    }
    ids[free] = 0;
    streams[free] = undefined;
  }

  /** All of them, as of now, in no order. */
  values(): T[] {
    return this.streams.filter((stream) => stream !== undefined);
  }

  /** Where a stream is, or the free slot where it would be. */
  private find(id: number): number {
    const { ids } = this;
    const mask = ids.length - 1;
    let slot = this.home(id);
    for (let found = ids[slot]; found !== id && found !== 0; found = ids[slot]) slot = (slot + 1) & mask;
    return slot;
  }

  private home(id: number): number {
    // The upper bits are the well mixed ones.
    return (Math.imul(id, GOLDEN) >>> 8) & (this.ids.length - 1);
  }

  private grow(): void {
    const { ids, streams } = this;
    this.ids = filled(ids.length * 2, 0);
    this.streams = filled(ids.length * 2, undefined);
    for (const [index, id] of ids.entries()) {
      if (id === 0) continue;
      const slot = this.find(id);
      this.ids[slot] = id;
      this.streams[slot] = streams[index];
    }
  }
}

function filled<V>(length: number, value: V): V[] {
  return new Array<V>(length).fill(value);
}
