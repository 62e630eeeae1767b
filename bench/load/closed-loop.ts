import type { Operation } from "./dialects/index.js";
import type { Answers } from "./http2/stream.js";

/** A connection, of whatever protocol, that carries calls. */
export interface Line {
  call(path: string, message: Uint8Array, end: boolean, answers: Answers): unknown;
}

/** Connections that calls are spread over. */
export interface Lines {
  for(index: number): Line;
}

/** What a loop did. */
export interface Done {
  readonly operations: number;
  readonly seconds: number;
}

/**
 * Callers that each make a call, wait for its answer and make the next one.
 */
export class ClosedLoop {
  private readonly callers: readonly Caller[];
  private wanted = 0;
  private started = 0;
  private done = 0;
  private running = 0;
  private stopped = true;
  private finish: (() => void) | undefined;

  /** @param callers how many calls are in flight; spread over the connections */
  constructor(connections: Lines, operation: Operation, callers: number) {
    this.callers = Array.from({ length: callers }, (_, i) => new Caller(connections.for(i), operation, i, this));
  }

  /** Runs for a time, and until the last answer has come. */
  async forSeconds(seconds: number): Promise<Done> {
    const timer = setTimeout(() => (this.stopped = true), seconds * 1000);
    try {
      return await this.run(Infinity);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Makes so many calls. */
  times(count: number): Promise<Done> {
    return this.run(count);
  }

  /** Called by a caller that may make another call. */
  get goesOn(): boolean {
    if (this.stopped || this.started >= this.wanted) return false;
    this.started += 1;
    return true;
  }

  /** @throws Error when a call failed: what follows would measure failures */
  answered(done: boolean, path: string): void {
    if (!done) throw new Error(`a call of ${path} failed after ${this.done} that did not`);
    this.done += 1;
  }

  /** Called by a caller that has stopped. */
  rests(): void {
    this.running -= 1;
    if (this.running === 0) this.finish?.();
  }

  private async run(count: number): Promise<Done> {
    this.wanted = count;
    this.started = 0;
    this.done = 0;
    this.stopped = false;
    this.running = this.callers.length;
    const since = performance.now();
    await new Promise<void>((resolve) => {
      this.finish = resolve;
      for (const caller of this.callers) caller.next();
    });
    return { operations: this.done, seconds: (performance.now() - since) / 1000 };
  }
}

class Caller implements Answers {
  private answered = false;
  private path = "";

  constructor(
    private readonly connection: Line,
    private readonly operation: Operation,
    private readonly index: number,
    private readonly loop: ClosedLoop,
  ) {}

  next(): void {
    if (!this.loop.goesOn) {
      this.loop.rests();
      return;
    }
    this.answered = false;
    const { path, message } = this.operation.request(this.index);
    this.path = path;
    this.connection.call(path, message, true, this);
  }

  message(bytes: Buffer, start: number, end: number): void {
    this.answered = this.operation.isDone(bytes, start, end);
  }

  ended(): void {
    this.loop.answered(this.answered, this.path);
    this.next();
  }
}
