import { randomBytes } from "node:crypto";

const INITIAL_SLOTS = 16;
/** Of this process alone: who chooses ids cannot choose where they come to lie. */
const SEED = randomBytes(4).readInt32LE();

/** What is found by its id, which never changes. */
export interface Identified {
  readonly id: string;
}

/**
 * Items by id: open addressing with linear probing, without tombstones (Knuth, TAOCP 6.4, algorithm R), the hashes beside the items.
 *
 * Not a Map, because of what a lookup among a million costs: hardly anything of them is in the processor's cache, so it costs what it
 * has to look at. A Map goes through a chain of two on average, and from each link to a string that lies somewhere else. Here it is a
 * hash, an item that is needed anyway, and its id.
 */
export class IdTable<T extends Identified> {
  /** 0: free. There are always free slots: every search ends at one. */
  private hashes = new Int32Array(INITIAL_SLOTS);
  private items: (T | undefined)[] = empty(INITIAL_SLOTS);
  private count = 0;

  /** @param hash of an id; not 0 */
  constructor(private readonly hash: (id: string) => number = hashOf) {}

  get size(): number {
    return this.count;
  }

  /** At most half of them are taken. */
  get slots(): number {
    return this.items.length;
  }

  get(id: string): T | undefined {
    return this.items[this.find(id, this.hash(id))];
  }

  /** Adds an item, or puts it in the place of the one that has its id. */
  set(item: T): void {
    const hash = this.hash(item.id);
    const known = this.find(item.id, hash);
    if (this.items[known] !== undefined) {
      this.items[known] = item;
      return;
    }
    // At most half full: what is searched for is then found after 1.5 looks, what is not there after 2.5.
    const grows = (this.count + 1) * 2 > this.items.length;
    if (grows) this.resize(this.items.length * 2);
    const slot = grows ? this.find(item.id, hash) : known;
    this.hashes[slot] = hash;
    this.items[slot] = item;
    this.count += 1;
  }

  delete(id: string): void {
    const { hashes, items } = this;
    const mask = items.length - 1;
    let free = this.find(id, this.hash(id));
    if (items[free] === undefined) return;
    this.count -= 1;
    // Whatever would not be found behind the gap moves into it, and leaves the next one.
    for (let slot = (free + 1) & mask, hash = hashes[slot]; hash; slot = (slot + 1) & mask, hash = hashes[slot]) {
      if (((slot - hash) & mask) < ((slot - free) & mask)) continue;
      hashes[free] = hash;
      items[free] = items[slot];
      free = slot;
    }
    hashes[free] = 0;
    items[free] = undefined;
    if (this.count * 8 < items.length && items.length > INITIAL_SLOTS) this.resize(items.length / 2);
  }

  /** Where an item is, or the free slot where it would be. */
  private find(id: string, hash: number): number {
    const { hashes, items } = this;
    const mask = hashes.length - 1;
    let slot = hash & mask;
    for (let found = hashes[slot]; found !== 0; found = hashes[slot]) {
      if (found === hash && items[slot]?.id === id) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private resize(slots: number): void {
    const { hashes, items } = this;
    const mask = slots - 1;
    this.hashes = new Int32Array(slots);
    this.items = empty(slots);
    for (const [index, item] of items.entries()) {
      const hash = hashes[index] ?? 0;
      if (hash === 0) continue;
      let slot = hash & mask;
      while (this.hashes[slot] !== 0) slot = (slot + 1) & mask;
      this.hashes[slot] = hash;
      this.items[slot] = item;
    }
  }
}

/** A multiplication and a shift for each character, and at last the finalizer of MurmurHash3 (Appleby, 2011). Never 0. */
function hashOf(id: string): number {
  let hash = SEED;
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash === 0 ? 1 : hash;
}

function empty<T>(length: number): (T | undefined)[] {
  return new Array<T | undefined>(length).fill(undefined);
}
