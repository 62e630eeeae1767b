import type { Connections } from "./connections.js";
import type { Watching } from "./dialects/index.js";
import type { Answers } from "./http2/stream.js";

/** How long the last events may take after the last commit, in milliseconds, before they count as lost. */
const LOST_AFTER_MS = 30_000;

/** Watches that count their events. */
export class Watchers {
  private started = 0;
  private seen = 0;
  private expected = Infinity;
  private onStarted: (() => void) | undefined;
  private onComplete: (() => void) | undefined;

  private constructor(
    private readonly connections: Connections,
    readonly count: number,
  ) {}

  /** Opens watches, and answers when every one of them sees all that is committed from now on. */
  static async open(connections: Connections, watchings: readonly Watching[]): Promise<Watchers> {
    const watchers = new Watchers(connections, watchings.length);
    if (watchings.length > 0) await watchers.start(watchings);
    return watchers;
  }

  /** Opens watches that go on somewhere, and answers when each of them has what it missed. */
  static async resume(connections: Connections, watchings: readonly Watching[], missed: number): Promise<void> {
    const watchers = new Watchers(connections, watchings.length);
    await watchers.start(watchings);
    await watchers.complete(missed * watchings.length);
  }

  /** Events from now on count. */
  reset(): void {
    this.seen = 0;
    this.expected = Infinity;
  }

  /**
   * Waits until so many events were seen, by all watchers together.
   *
   * @throws Error when there are too few after a long time, or too many
   */
  async complete(events: number): Promise<void> {
    this.expected = events;
    if (this.seen < this.expected) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve, reject) => {
        this.onComplete = resolve;
        timer = setTimeout(() => {
          reject(new Error(`${this.expected - this.seen} of ${this.expected} events did not come`));
        }, LOST_AFTER_MS);
      });
      clearTimeout(timer);
    }
    if (this.seen > this.expected) throw new Error(`${this.seen} events came where there are ${this.expected}`);
  }

  private start(watchings: readonly Watching[]): Promise<void> {
    return new Promise((resolve) => {
      this.onStarted = resolve;
      watchings.forEach((watching, i) => this.add(watching, i));
    });
  }

  private add(watching: Watching, index: number): void {
    let isStarted = false;
    const answers: Answers = {
      message: (bytes, start, end) => {
        if (!isStarted && watching.isStarted(bytes, start, end)) {
          isStarted = true;
          this.started += 1;
          if (this.started === this.count) this.onStarted?.();
        } else this.saw(watching.events(bytes, start, end));
      },
      ended: () => {
        throw new Error(`a watch ended: ${watching.path}`);
      },
    };
    this.connections.for(index).call(watching.path, watching.message, watching.requestEnds, answers);
  }

  private saw(events: number): void {
    this.seen += events;
    if (this.seen >= this.expected) this.onComplete?.();
  }
}
