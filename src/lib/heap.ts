/** Something that a heap can find and take out again. The field belongs to the heap that holds it. */
export interface Heaped {
  /** Its place; -1 when it is in no heap. */
  heapIndex: number;
}

/** A binary heap whose items can be taken out from the middle. Each item is in it at most once. */
export class Heap<T extends Heaped> {
  private readonly items: T[] = [];

  /** @param isBefore a strict order: whether `a` comes out before `b` */
  constructor(private readonly isBefore: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  /** What comes out next. */
  get first(): T | undefined {
    return this.items[0];
  }

  /** @param item that is in no heap */
  add(item: T): void {
    this.put(item, this.items.length);
    this.rise(item);
  }

  /** Takes an item out; one that is not in is left alone. */
  remove(item: T): void {
    const index = item.heapIndex;
    if (this.items[index] !== item) return;
    item.heapIndex = -1;
    const last = this.items.pop();
    if (last === undefined || last === item) return;
    this.put(last, index);
    this.rise(last);
    this.sink(last);
  }

  /** Takes out the first item. */
  take(): T | undefined {
    const { first } = this;
    if (first !== undefined) this.remove(first);
    return first;
  }

  private rise(item: T): void {
    for (;;) {
      const above = this.items[(item.heapIndex - 1) >> 1];
      if (item.heapIndex === 0 || above === undefined || !this.isBefore(item, above)) return;
      this.swap(item, above);
    }
  }

  private sink(item: T): void {
    for (;;) {
      const left = this.items[2 * item.heapIndex + 1];
      const right = this.items[2 * item.heapIndex + 2];
      const below = right !== undefined && left !== undefined && this.isBefore(right, left) ? right : left;
      if (below === undefined || !this.isBefore(below, item)) return;
      this.swap(item, below);
    }
  }

  private swap(a: T, b: T): void {
    const index = a.heapIndex;
    this.put(a, b.heapIndex);
    this.put(b, index);
  }

  private put(item: T, index: number): void {
    this.items[index] = item;
    item.heapIndex = index;
  }
}
