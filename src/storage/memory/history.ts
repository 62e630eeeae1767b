import type { StateRecord } from "../records.js";
import type { HistoryPage, ReadHistory } from "../storage.js";
import { historyPage } from "../pages.js";
import type { Ring } from "./ring.js";

/**
 * How much history an agent keeps: the newest `limit` records that are not older than `ageMs`. What is too old goes when it would
 * be read; to look at the oldest record at every commit would cost more than the rest of the commit.
 */
export class HistoryRetention {
  constructor(
    private readonly limit: number,
    readonly ageMs: number,
  ) {}

  append(history: Ring<StateRecord>, record: StateRecord): void {
    history.push(record);
    if (history.length > this.limit) history.shift();
  }

  read(history: Ring<StateRecord>, query: ReadHistory, now: number): HistoryPage {
    this.trim(history, now);
    const first = firstAfter(history, query.afterRevision);
    const end = Math.min(first + query.limit, history.length);
    const entries: StateRecord[] = [];
    for (let index = first; index < end; index += 1) {
      const record = history.at(index);
      if (record !== undefined) entries.push(record);
    }
    const before = entries.length === 0 ? undefined : history.at(first - 1);
    return historyPage(entries, before, end < history.length);
  }

  private trim(history: Ring<StateRecord>, now: number): void {
    const oldestKept = now - this.ageMs;
    for (let oldest = history.at(0); oldest !== undefined && oldest.commitTime < oldestKept; oldest = history.at(0)) {
      history.shift();
    }
  }
}

function firstAfter(history: Ring<StateRecord>, revision: number): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((history.at(middle)?.revision ?? Infinity) <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
