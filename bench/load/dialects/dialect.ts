import type { Field } from "../http2/hpack.js";

/** A unary call that is made again and again. */
export interface Operation {
  readonly path: string;
  /**
   * The next request of one caller. Callers are numbered from 0, and each has its own agent, so what it changes it changes alone.
   */
  request(caller: number): Uint8Array;
  /** Whether the answer says that it was done. */
  isDone(bytes: Buffer, start: number, end: number): boolean;
}

/** A call that stays open and gets an event for every commit it watches. */
export interface Watching {
  readonly path: string;
  readonly request: Uint8Array;
  /** Whether the client has said all that it will say. */
  readonly requestEnds: boolean;
  /** Whether this message says that every commit from now on will be seen. */
  isStarted(bytes: Buffer, start: number, end: number): boolean;
  events(bytes: Buffer, start: number, end: number): number;
}

/** How the same things are said to different servers. */
export interface Dialect {
  readonly headers: readonly Field[];
  /** Changes a value; each request is a real change. */
  commit(): Operation;
  /** Reads a value. */
  read(): Operation;
  /** Watches every agent. */
  watchAll(): Watching;
}
