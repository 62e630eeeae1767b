/** What can be ended when its time is up. */
interface Endable {
  readonly destroyed: boolean;
}

/**
 * Ends requests whose client does not finish sending them. Adding and removing are one Set operation each and there is one timer
 * for all: requests live in two generations, and one that is still there when the older generation is swept has had at least the
 * time-out, at most twice that.
 */
export class UnfinishedRequests<T extends Endable> {
  private young = new Set<T>();
  private old = new Set<T>();
  private readonly timer: NodeJS.Timeout;

  /**
   * @param timeoutMs for how long a request may stay unfinished at least
   * @param end ends one that took longer
   */
  constructor(
    timeoutMs: number,
    private readonly end: (request: T) => void,
  ) {
    this.timer = setInterval(() => this.sweep(), timeoutMs).unref();
  }

  /** How many requests are unfinished. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  add(request: T): void {
    this.young.add(request);
  }

  /** The request was finished, or went away. */
  delete(request: T): void {
    if (!this.young.delete(request)) this.old.delete(request);
  }

  close(): void {
    clearInterval(this.timer);
    this.young.clear();
    this.old.clear();
  }

  private sweep(): void {
    const late = this.old;
    this.old = this.young;
    this.young = new Set();
    for (const request of late) if (!request.destroyed) this.end(request);
  }
}
