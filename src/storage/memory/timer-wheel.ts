/** Something that a wheel visits when it falls due. The fields belong to the wheel that holds it. */
export interface Scheduled {
  /** The tick it waits for; UNSCHEDULED when it is in no wheel. */
  wheelTick: number;
  /** Its place among those that wait for the same tick. */
  wheelIndex: number;
}

export const UNSCHEDULED = -1;

/** How finely due times are sorted, in milliseconds. What falls due is visited at the first turn after its time all the same. */
const TICK_MS = 100;

/**
 * A timer wheel after Varghese and Lauck ("Hashed and Hierarchical Timing Wheels", 1987), its slots in a map, so that it has no
 * end: to schedule, to move and to remove cost the same however many items wait. Each item is in it once.
 */
export class TimerWheel<T extends Scheduled> {
  private readonly slots = new Map<number, T[]>();
  private count = 0;
  /** All earlier ticks have been visited. */
  private currentTick: number;

  /** @param now the monotonic clock, in milliseconds, as all times here */
  constructor(now: number) {
    this.currentTick = tickOf(now);
  }

  get size(): number {
    return this.count;
  }

  /** Adds an item, or moves it when it is in the wheel. One that is due already is visited at the next turn. */
  schedule(item: T, dueAt: number): void {
    const tick = Math.max(tickOf(dueAt), this.currentTick);
    if (item.wheelTick === tick) return;
    this.remove(item);
    const slot = this.slots.get(tick);
    item.wheelTick = tick;
    item.wheelIndex = slot?.length ?? 0;
    if (slot === undefined) this.slots.set(tick, [item]);
    else slot.push(item);
    this.count += 1;
  }

  /** Removes an item; one that is not in the wheel is left alone. */
  remove(item: T): void {
    const slot = this.slots.get(item.wheelTick);
    if (slot === undefined) return;
    const last = slot.pop();
    if (last !== undefined && last !== item) {
      slot[item.wheelIndex] = last;
      last.wheelIndex = item.wheelIndex;
    }
    if (slot.length === 0) this.slots.delete(item.wheelTick);
    item.wheelTick = UNSCHEDULED;
    this.count -= 1;
  }

  /**
   * Takes out everything that may be due and hands it to `visit`, which schedules again what shall stay: also what turns out not
   * to be due yet, for a tick is visited as a whole and more than once while it lasts.
   */
  turn(now: number, visit: (item: T) => void): void {
    const until = Math.max(tickOf(now), this.currentTick);
    const due = this.take(until);
    this.currentTick = until;
    for (const slot of due) for (const item of slot) visit(item);
  }

  private take(until: number): readonly T[][] {
    const taken: T[][] = [];
    for (const tick of this.ticksUntil(until)) {
      const slot = this.slots.get(tick);
      if (slot === undefined) continue;
      this.slots.delete(tick);
      this.count -= slot.length;
      for (const item of slot) item.wheelTick = UNSCHEDULED;
      taken.push(slot);
    }
    return taken;
  }

  /** The ticks to visit, in order. After a long pause there are fewer slots than ticks. */
  private ticksUntil(until: number): Iterable<number> {
    if (until - this.currentTick < this.slots.size) return range(this.currentTick, until);
    return [...this.slots.keys()].filter((tick) => tick <= until).sort((a, b) => a - b);
  }
}

function tickOf(time: number): number {
  return Math.floor(time / TICK_MS);
}

function* range(first: number, last: number): Iterable<number> {
  for (let value = first; value <= last; value += 1) yield value;
}
