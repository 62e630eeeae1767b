const INITIAL_CAPACITY = 8;

/**
 * A queue over one circular array, read by age. Adding and dropping cost the same however long it is; nothing is copied once it
 * has reached its working size.
 */
export class Ring<T> {
  /** Its length is a power of two, so that places wrap by a mask. */
  private slots: (T | undefined)[] = [];
  private head = 0;
  private count = 0;

  get length(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count === this.slots.length) this.grow();
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = item;
    this.count += 1;
  }

  /** @param index 0 is the oldest */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.count) return undefined;
    return this.slots[(this.head + index) & (this.slots.length - 1)];
  }

  /** Drops and returns the oldest. */
  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const item = this.slots[this.head];
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.count -= 1;
    return item;
  }

  private grow(): void {
    const capacity = this.slots.length === 0 ? INITIAL_CAPACITY : this.slots.length * 2;
    // Not by push, which leaves room for as many again: most agents have a short history, and there may be a million of them.
    const slots = new Array<T | undefined>(capacity).fill(undefined);
    for (let index = 0; index < this.count; index += 1) slots[index] = this.at(index);
    this.slots = slots;
    this.head = 0;
  }
}
