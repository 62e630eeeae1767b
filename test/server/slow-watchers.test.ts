import { describe, expect, it, test } from "vitest";
import { WatchKind } from "../../gen/opscore/v1/common_pb.js";
import type { WatchStateResponse } from "../../gen/opscore/v1/state_service_pb.js";
import { State } from "../../src/storage/records.js";
import { ChainCheck, openSession, RawWatch } from "../helpers/raw-watch.js";
import { aRegistration, aReport } from "../helpers/records.js";
import { startServer } from "../helpers/server.js";

const SLEEPERS = 10;
const READERS_PER_CONNECTION = 99;
const COMMITS = 150;
const COMMITS_AT_ONCE = 30;
/**
 * An event holds it twice, so all events together are more than a stream may send to a client that does not read (64 KiB) and
 * more than a watcher may leave in its queue (1 MiB).
 */
const DETAILS = { text: "x".repeat(5000) };

const isSynced = ({ kind }: WatchStateResponse): boolean => kind === WatchKind.SYNCED;

/** Watches of one connection, which together have more to say in one turn than may wait for a client's windows. */
const HERD = 400;
const HERD_REPORTS = 4;
const LARGE = { text: "x".repeat(60_000) };

/** Watchers of one agent. The sleepers have been let in, and read nothing. */
async function setUp(readerCount: number, logMaxEntries: number) {
  const { server, url } = await startServer({ logLevel: "warn", logMaxEntries });
  const { storage } = server;
  await storage.registerAgent(aRegistration("a"));
  const sleepers = Array.from({ length: SLEEPERS }, () => new RawWatch(openSession(url), {}));
  await Promise.all(sleepers.map(({ stream }) => new Promise((resolve) => stream.once("response", resolve))));
  const readers: RawWatch[] = [];
  for (let i = 0; i < readerCount / READERS_PER_CONNECTION; i++) {
    const session = openSession(url);
    for (let k = 0; k < READERS_PER_CONNECTION; k++) readers.push(new RawWatch(session, {}));
  }
  await Promise.all(
    readers.map((reader) => {
      reader.read();
      return reader.until(isSynced);
    }),
  );
  /** Commits everything in slices, and answers when every reader has got the last of a slice before the next begins. */
  const commitAll = async (): Promise<void> => {
    const checks = readers.map((reader) => {
      const check = new ChainCheck();
      return { reader, check };
    });
    for (let done = 0; done < COMMITS;) {
      const target = Math.min(done + COMMITS_AT_ONCE, COMMITS);
      const arrived = checks.map(({ reader, check }) =>
        reader.until((message) => {
          check.seeAll(message);
          return check.count >= target;
        }),
      );
      for (; done < target; done++) {
        await storage.setState(aReport("a", done % 2 === 0 ? State.IDLE : State.ACTIVE, { details: DETAILS }));
      }
      await Promise.all(arrived);
    }
    for (const { check } of checks) expect(check.count).toBe(COMMITS);
  };
  return { sleepers, commitAll };
}

describe("watchers that never read", () => {
  it("harm nobody, and catch up without a gap when they read", { timeout: 60_000 }, async () => {
    const { sleepers, commitAll } = await setUp(990, 100_000);
    await commitAll();
    await Promise.all(
      sleepers.map(async (sleeper) => {
        const check = new ChainCheck();
        const all = sleeper.until((message) => {
          check.seeAll(message);
          return check.count === COMMITS;
        });
        sleeper.read();
        const kinds = new Set((await all).map(({ kind }) => kind));
        expect(kinds).not.toContain(WatchKind.RESYNC);
      }),
    );
  });

  it("get RESYNC and the current state when the log has moved on", { timeout: 60_000 }, async () => {
    const { sleepers, commitAll } = await setUp(99, 50);
    await commitAll();
    await Promise.all(
      sleepers.map(async (sleeper) => {
        let resynced = false;
        const all = sleeper.until(({ kind }) => {
          resynced ||= kind === WatchKind.RESYNC;
          return resynced && kind === WatchKind.SYNCED;
        });
        sleeper.read();
        const messages = await all;
        const snapshot = messages.find(({ kind }) => kind === WatchKind.SNAPSHOT);
        expect(snapshot?.states.map(({ state }) => state)).toEqual([State.ACTIVE]);
      }),
    );
  });
});

test("watches of one client that reads as fast as it can get everything, however much that is at once", async () => {
  const { server, url } = await startServer({ logLevel: "warn" });
  const { storage } = server;
  for (let i = 0; i < HERD_REPORTS; i++) await storage.registerAgent(aRegistration(`a${i}`));
  const session = openSession(url);
  const herd = Array.from({ length: HERD }, () => new RawWatch(session, {}));
  await Promise.all(
    herd.map((watch) => {
      watch.read();
      return watch.until(isSynced);
    }),
  );
  const told = herd.map((watch) => {
    let events = 0;
    return watch.until((message) => (events += message.events.length) === HERD_REPORTS);
  });
  for (let i = 0; i < HERD_REPORTS; i++) void storage.setState(aReport(`a${i}`, State.ACTIVE, { details: LARGE }));
  await Promise.all(told);
});
