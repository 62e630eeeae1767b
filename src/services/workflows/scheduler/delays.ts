import { Heap, type Heaped } from "../../../lib/heap.js";
import { MAX_TIMER_MS } from "../../../lib/clock.js";

interface Delayed extends Heaped {
  readonly dueAt: number;
  readonly action: () => void;
}

/** Things to do later: one timer, however many there are. */
export class Delays {
  private readonly waiting = new Heap<Delayed>((a, b) => a.dueAt < b.dueAt);
  private timer: NodeJS.Timeout | undefined;

  add(delayMs: number, action: () => void): void {
    const item = { heapIndex: -1, dueAt: performance.now() + delayMs, action };
    this.waiting.add(item);
    if (this.waiting.first === item) this.schedule();
  }

  clear(): void {
    clearTimeout(this.timer);
    while (this.waiting.take() !== undefined);
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const { first } = this.waiting;
    if (first === undefined) return;
    const delayMs = Math.min(Math.max(0, Math.ceil(first.dueAt - performance.now())), MAX_TIMER_MS);
    this.timer = setTimeout(this.onTimer, delayMs).unref();
  }

  private readonly onTimer = (): void => {
    const now = performance.now();
    for (let { first } = this.waiting; first !== undefined && first.dueAt <= now; first = this.waiting.first) {
      this.waiting.remove(first);
      first.action();
    }
    this.schedule();
  };
}
