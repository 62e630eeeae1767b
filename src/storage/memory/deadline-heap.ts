/** Something that falls due. The fields belong to the heap that holds it. */
export interface Scheduled {
  dueAt: number;
  /** Its place in the heap; NOT_SCHEDULED when it is in none. */
  heapIndex: number;
}

export const NOT_SCHEDULED = -1;

/**
 * A binary min-heap by due time whose items know their place, so that any of them can be moved or removed. Each item is in it
 * once: its size is the number of items, whatever was scheduled how often.
 */
export class DeadlineHeap<T extends Scheduled> {
  private readonly items: T[] = [];

  get size(): number {
    return this.items.length;
  }

  /** The item that falls due first. */
  peek(): T | undefined {
    return this.items[0];
  }

  /** Adds an item, or moves it when it is in the heap. */
  schedule(item: T, dueAt: number): void {
    item.dueAt = dueAt;
    if (item.heapIndex === NOT_SCHEDULED) {
      item.heapIndex = this.items.length;
      this.items.push(item);
    }
    this.settle(item);
  }

  /** Removes an item; one that is not in the heap is left alone. */
  remove(item: T): void {
    const index = item.heapIndex;
    if (index === NOT_SCHEDULED) return;
    item.heapIndex = NOT_SCHEDULED;
    const last = this.items.pop();
    if (last === undefined || last === item) return;
    this.put(last, index);
    this.settle(last);
  }

  /** Moves an item to where its due time belongs. */
  private settle(item: T): void {
    let index = item.heapIndex;
    while (index > 0) {
      const parent = this.items[(index - 1) >>> 1];
      if (parent === undefined || parent.dueAt <= item.dueAt) break;
      const parentIndex = parent.heapIndex;
      this.put(parent, index);
      index = parentIndex;
    }
    for (;;) {
      const child = this.earlier(this.items[2 * index + 1], this.items[2 * index + 2]);
      if (child === undefined || child.dueAt >= item.dueAt) break;
      const childIndex = child.heapIndex;
      this.put(child, index);
      index = childIndex;
    }
    this.put(item, index);
  }

  private earlier(a: T | undefined, b: T | undefined): T | undefined {
    if (a === undefined || b === undefined) return a;
    return a.dueAt <= b.dueAt ? a : b;
  }

  private put(item: T, index: number): void {
    this.items[index] = item;
    item.heapIndex = index;
  }
}
