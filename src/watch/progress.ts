/** What wants to be reminded when it has been silent. */
export interface Silent {
  /** Half of the interval has passed. */
  tick(): void;
}

/**
 * One timer for all watchers with the same interval, instead of one each: it ticks twice in an interval, and a watcher that
 * counted two ticks since its last message speaks up.
 */
export class ProgressTicker {
  private readonly byInterval = new Map<number, { readonly timer: NodeJS.Timeout; readonly watchers: Set<Silent> }>();

  add(watcher: Silent, intervalMs: number): void {
    let entry = this.byInterval.get(intervalMs);
    if (entry === undefined) {
      const watchers = new Set<Silent>();
      const timer = setInterval(() => {
        for (const each of watchers) each.tick();
      }, intervalMs / 2);
      timer.unref();
      entry = { timer, watchers };
      this.byInterval.set(intervalMs, entry);
    }
    entry.watchers.add(watcher);
  }

  remove(watcher: Silent, intervalMs: number): void {
    const entry = this.byInterval.get(intervalMs);
    if (entry === undefined) return;
    entry.watchers.delete(watcher);
    if (entry.watchers.size > 0) return;
    clearInterval(entry.timer);
    this.byInterval.delete(intervalMs);
  }
}
