import type { Line, Lines } from "./closed-loop.js";
import type { Operation } from "./dialects/index.js";

/** Each pauses between the end of one call and the next one, in milliseconds: at least, and at most. */
export type Pause = readonly [least: number, most: number];

/** Callers that pause between their calls, as people and agents do. Each has a connection of its own. */
export class Users {
  private times: number[] = [];
  private running = 0;
  private stopped = true;
  private onRest: (() => void) | undefined;

  constructor(
    private readonly lines: Lines,
    private readonly operation: Operation,
    private readonly count: number,
    private readonly pause: Pause,
  ) {}

  /** @returns how long each call took, in milliseconds */
  async forSeconds(seconds: number): Promise<readonly number[]> {
    this.times = [];
    this.stopped = false;
    this.running = this.count;
    const rested = new Promise<void>((resolve) => (this.onRest = resolve));
    for (let user = 0; user < this.count; user += 1) {
      // They have been there before: nobody begins at once with everybody else.
      setTimeout(() => this.next(user, this.lines.for(user)), Math.random() * this.pause[1]);
    }
    setTimeout(() => (this.stopped = true), seconds * 1000);
    await rested;
    return this.times;
  }

  private next(user: number, line: Line): void {
    if (this.stopped) {
      this.running -= 1;
      if (this.running === 0) this.onRest?.();
      return;
    }
    const { path, message } = this.operation.request(user);
    const since = performance.now();
    let done = false;
    line.call(path, message, true, {
      message: (bytes, start, end) => (done = this.operation.isDone(bytes, start, end)),
      ended: () => {
        if (!done) throw new Error(`a call of ${path} failed`);
        this.times.push(performance.now() - since);
        const [least, most] = this.pause;
        setTimeout(() => this.next(user, line), least + Math.random() * (most - least));
      },
    });
  }
}
