import { createHash } from "node:crypto";
import type { Position } from "../storage.js";

/** Where the logs of some partitions stand, and which history each is. */
export interface Heads {
  readonly epochs: readonly string[];
  readonly revisions: readonly number[];
  /** What Redis's clock showed, in milliseconds. */
  readonly redisMs: number;
}

const EPOCH_LENGTH = 16;

/** The epoch of all partitions together: it changes when any of theirs does. */
export function combineEpochs(epochs: readonly string[]): string {
  return createHash("sha256").update(epochs.join(",")).digest("base64url").slice(0, EPOCH_LENGTH);
}

export function toPosition({ epochs, revisions }: Pick<Heads, "epochs" | "revisions">): Position {
  return { epoch: combineEpochs(epochs), revisions };
}

/** Reads what `lua/read-heads.lua` answers. */
export function parseHeads(reply: unknown): Heads {
  if (!Array.isArray(reply)) throw new Error("read-heads answers a list");
  const [redisMs, ...cells] = reply.map(String);
  const epochs: string[] = [];
  const revisions: number[] = [];
  for (let index = 0; index < cells.length; index += 2) {
    epochs.push(cells[index] ?? "");
    revisions.push(Number(cells[index + 1]));
  }
  return { epochs, revisions, redisMs: Number(redisMs) };
}

/** A log entry's id, taken apart. */
export function parseEntryId(id: string): { readonly revision: number; readonly epoch: string } {
  const dash = id.indexOf("-");
  return { revision: Number(id.slice(0, dash)), epoch: id.slice(dash + 1) };
}

/** The greatest id of a revision: what comes after it is a later revision, whatever the epoch. */
export function afterRevision(revision: number): string {
  return `${revision}-18446744073709551615`;
}
