import type { Field } from "../http2/hpack.js";

export interface Request {
  readonly path: string;
  readonly message: Uint8Array;
}

/** Unary calls that follow each other. */
export interface Operation {
  /**
   * The next call of one caller. Callers are numbered from 0, and each has agents of its own, so what it changes it changes alone.
   */
  request(caller: number): Request;
  /** Whether the answer says that it was done. */
  isDone(bytes: Buffer, start: number, end: number): boolean;
}

/** A call that stays open and gets an event for every commit it watches. */
export interface Watching extends Request {
  /** Whether the client has said all that it will say. */
  readonly requestEnds: boolean;
  /** Whether this message says that every commit from now on will be seen. */
  isStarted(bytes: Buffer, start: number, end: number): boolean;
  events(bytes: Buffer, start: number, end: number): number;
}

/** Which agents are changed, by how many callers in turn. */
export interface Changing {
  readonly callers: number;
  /** Default: one for each caller. */
  readonly agents?: number;
}

/** How the same things are said to different servers. */
export interface Dialect {
  readonly headers: readonly Field[];
  /** Changes values; each request is a real change. */
  commit(changing: Changing): Operation;
  /** Reads a value. */
  read(): Operation;
  /** @param agent by its number; undefined: every agent */
  watch(agent?: number): Watching;
}
