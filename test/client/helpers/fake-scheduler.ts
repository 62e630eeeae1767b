import type { Scheduler } from "../../../src/client/scheduler.js";
import { FakeClock } from "../../helpers/fake-clock.js";

interface Timer {
  readonly at: number;
  readonly ms: number;
  readonly callback: () => void;
}

/** Time that stands still until a test moves it, and chance that a test decides. */
export class FakeScheduler extends FakeClock implements Scheduler {
  /** What {@link random} answers. With full jitter, 1 makes each wait as long as it can be. */
  chance = 1;
  /** Every wait that was asked for, in milliseconds, in order. */
  readonly waits: number[] = [];
  private timers: Timer[] = [];
  private watchers: (() => void)[] = [];

  random(): number {
    return this.chance;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.monotonic() + ms, ms, callback };
    this.timers.push(timer);
    this.waits.push(ms);
    for (const watcher of this.watchers.splice(0)) watcher();
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Timers that are running now, by the wait that was asked for. */
  get running(): readonly number[] {
    return this.timers.map(({ ms }) => ms);
  }

  /** Moves time, and calls on the way what is due, in order. */
  override advance(ms: number): void {
    const until = this.monotonic() + ms;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      super.advance(Math.max(0, due.at - this.monotonic()));
      due.callback();
    }
    super.advance(until - this.monotonic());
  }

  /** Resolves when a timer of just this length is running. */
  async armed(ms: number): Promise<void> {
    while (!this.running.includes(ms)) await new Promise<void>((resolve) => this.watchers.push(resolve));
  }

  /** Waits for a timer of just this length, and lets it run out. */
  async elapse(ms: number): Promise<void> {
    await this.armed(ms);
    this.advance(ms);
  }
}

/** Time that runs by itself, as fast as it is waited for: a timer goes off as soon as whoever set it lets go of the thread. */
export class HastyScheduler extends FakeScheduler {
  override after(ms: number, callback: () => void): () => void {
    const cancel = super.after(ms, callback);
    setImmediate(() => {
      if (this.running.length > 0) this.advance(Math.min(...this.running));
    });
    return cancel;
  }
}
