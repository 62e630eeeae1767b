import type { Clock } from "../../src/lib/clock.js";

/** A clock that stands still until a test moves it. Both of its faces move together; the wall face can also be set back. */
export class FakeClock implements Clock {
  private elapsed = 0;
  private wall: number;

  /** @param start what the wall clock shows at first */
  constructor(start = Date.UTC(2030, 0, 1)) {
    this.wall = start;
  }

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.elapsed;
  }

  advance(ms: number): void {
    this.elapsed += ms;
    this.wall += ms;
  }

  /** Lets the wall clock jump, as a correction of the machine's time does. */
  jumpWall(ms: number): void {
    this.wall += ms;
  }
}
