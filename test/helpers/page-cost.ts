/** What a page of a list costs Redis, counted in the commands that it runs, those within scripts too. */
import type { Redis } from "ioredis";
import type { Page } from "../../src/storage/storage.js";

/** What is not part of reading a page: who asks, and the log that is followed meanwhile. */
const ASIDE = new Set(["info", "config|resetstat", "xread", "time", "wait"]);

export interface PageCost {
  readonly items: number;
  readonly commands: number;
  readonly next: string | undefined;
}

export async function pageCost(client: Redis, read: () => Promise<Page<unknown>>): Promise<PageCost> {
  await client.config("RESETSTAT");
  const { items, next } = await read();
  const stats = await client.info("commandstats");
  let commands = 0;
  for (const [, name = "", calls] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (!ASIDE.has(name)) commands += Number(calls);
  }
  return { items: items.length, commands, next };
}
