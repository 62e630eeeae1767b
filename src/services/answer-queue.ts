/** The place of one answer. */
export interface Slot<T> {
  /** Undefined until it is known. */
  answer: T | undefined;
  bytes: number;
}

/** Answers in the order of their questions, whatever the order in which they become known. Bounded by its user, who asks `isFull`. */
export class AnswerQueue<T> {
  private slots: Slot<T>[] = [];
  /** Slots before it are gone; the array is cut when they are the larger part, so that taking one costs no copy. */
  private head = 0;
  private bytes = 0;

  /**
   * @param maxSlots full with so many
   * @param maxBytes full with so many bytes, as weighed by its user
   */
  constructor(
    private readonly maxSlots: number,
    private readonly maxBytes: number,
  ) {}

  get isFull(): boolean {
    return this.slots.length - this.head >= this.maxSlots || this.bytes >= this.maxBytes;
  }

  get isEmpty(): boolean {
    return this.slots.length === this.head;
  }

  /** Whether the next answer is known. */
  get isReady(): boolean {
    return this.slots[this.head]?.answer !== undefined;
  }

  /** Takes the next place. */
  append(): Slot<T> {
    const slot: Slot<T> = { answer: undefined, bytes: 0 };
    this.slots.push(slot);
    return slot;
  }

  /** Says how much a slot holds until its answer is taken. */
  weigh(slot: Slot<T>, bytes: number): void {
    this.bytes += bytes - slot.bytes;
    slot.bytes = bytes;
  }

  /** Takes the next answer; undefined when it is not known yet, or when there is none. */
  shift(): T | undefined {
    const slot = this.slots[this.head];
    if (slot?.answer === undefined) return undefined;
    this.head += 1;
    this.bytes -= slot.bytes;
    if (this.head > 64 && this.head * 2 > this.slots.length) {
      this.slots = this.slots.slice(this.head);
      this.head = 0;
    }
    return slot.answer;
  }

  clear(): void {
    this.slots = [];
    this.head = 0;
    this.bytes = 0;
  }
}
