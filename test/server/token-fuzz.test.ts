/** Resume tokens as a real server takes them: of any age, of another deployment, damaged in any way. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { State, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { createOpsCoreClient, errorReason, type OpsCoreClient } from "../../src/client/index.js";
import type { Config } from "../../src/config/index.js";
import { decodeToken, encodeToken } from "../../src/watch/token.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { freshPrefix } from "../helpers/redis-storage.js";
import { startServerUnowned, type TestServer } from "../helpers/server.js";

interface Answer {
  readonly kind: WatchKind;
  readonly resumeToken: string;
}
interface Options {
  readonly signal: AbortSignal;
}

/** So many watches are open at a time. */
const BATCH = 64;
const HASH_BYTES = 8;

const WATCHES = {
  WatchState: (client: OpsCoreClient, resumeToken: string, options: Options): AsyncIterable<Answer> =>
    client.states.watchState({ resumeToken }, options),
  WatchSessions: (client: OpsCoreClient, resumeToken: string, options: Options): AsyncIterable<Answer> =>
    client.sessions.watchSessions({ resumeToken }, options),
  WatchTasks: (client: OpsCoreClient, resumeToken: string, options: Options): AsyncIterable<Answer> =>
    client.tasks.watchTasks({ resumeToken }, options),
};
type Watch = (typeof WATCHES)[keyof typeof WATCHES];

/** What the server says first: a kind of message, or why it refuses. */
async function outcomeOf(client: OpsCoreClient, watch: Watch, token: string): Promise<string> {
  const stop = new AbortController();
  try {
    for await (const { kind } of watch(client, token, { signal: stop.signal })) return WatchKind[kind];
    return "ended";
  } catch (thrown) {
    return errorReason(thrown) ?? String(thrown);
  } finally {
    stop.abort();
  }
}

async function outcomesOf(client: OpsCoreClient, watch: Watch, tokens: readonly string[]): Promise<Set<string>> {
  const outcomes = new Set<string>();
  for (let at = 0; at < tokens.length; at += BATCH) {
    const batch = tokens.slice(at, at + BATCH).map((token) => outcomeOf(client, watch, token));
    for (const outcome of await Promise.all(batch)) outcomes.add(outcome);
  }
  return outcomes;
}

async function tokenOf(client: OpsCoreClient, watch: Watch): Promise<string> {
  const stop = new AbortController();
  try {
    for await (const { resumeToken } of watch(client, "", { signal: stop.signal })) {
      if (resumeToken !== "") return resumeToken;
    }
  } finally {
    stop.abort();
  }
  throw new Error("no token");
}

/** A deployment in which something has happened. */
async function deployment(settings: Partial<Config>): Promise<{ running: TestServer; client: OpsCoreClient }> {
  const running = await startServerUnowned(settings);
  const client = createOpsCoreClient({ baseUrl: running.url });
  for (const agentId of ["a", "b", "c"]) {
    await client.agents.registerAgent({ agentId });
    await client.states.setState({ agentId, state: State.IDLE });
  }
  await client.sessions.startSession({ sessionId: "s", agentId: "a" });
  return { running, client };
}

const close = async ({ running, client }: { running: TestServer; client: OpsCoreClient }): Promise<void> => {
  client.close();
  await running.server.close();
};

describe.each(["memory", "redis"] as const)("over %s", (storageType) => {
  let redis: RedisProcess | undefined;
  let here: Awaited<ReturnType<typeof deployment>>;
  const settings = (): Partial<Config> =>
    redis === undefined ? {} : { storageType, redisUrl: redis.url, redisPrefix: freshPrefix() };

  beforeAll(async () => {
    if (storageType === "redis") redis = await RedisProcess.start();
    here = await deployment(settings());
  });
  afterAll(async () => {
    expect(here.running.logs.filter(({ level }) => level >= 50)).toEqual([]);
    await close(here);
    await redis?.remove();
  });

  describe.each(Object.entries(WATCHES))("%s", (_, watch) => {
    it("takes each token with one bit changed, and each that was cut off, for what it is", async () => {
      const token = await tokenOf(here.client, watch);
      const bytes = Buffer.from(token, "base64url");
      const flipped = [...bytes].flatMap((byte, at) =>
        Array.from({ length: 8 }, (__, bit) => {
          const changed = Buffer.from(bytes);
          changed[at] = byte ^ (1 << bit);
          return { at, text: changed.toString("base64url") };
        }),
      );
      const inHead = flipped.filter(({ at }) => at < 1 + HASH_BYTES).map(({ text }) => text);
      expect(await outcomesOf(here.client, watch, inHead)).toEqual(new Set(["INVALID_RESUME_TOKEN"]));

      const rest = flipped.filter(({ at }) => at >= 1 + HASH_BYTES).map(({ text }) => text);
      const cut = Array.from({ length: token.length - 1 }, (__, length) => token.slice(0, length + 1));
      const altered = [...cut, ...cut.map((text) => text + token), `${token}A`, `${token}AA`, `${token}=`, ` ${token}`];
      for (const outcome of await outcomesOf(here.client, watch, [...rest, ...altered])) {
        expect(outcome).toMatch(/^(INVALID_RESUME_TOKEN|RESYNC|EVENTS|SYNCED)$/);
      }
    });

    it("goes on from a token of any age, or says RESYNC", async () => {
      const token = await tokenOf(here.client, watch);
      const hash = Buffer.from(token, "base64url").toString("latin1", 1, 1 + HASH_BYTES);
      const position = decodeToken(token, hash);
      const of = (revisions: readonly number[], epoch = position.epoch) => encodeToken(hash, { epoch, revisions });
      const all = (revision: number) => position.revisions.map(() => revision);
      const outcomes: readonly (readonly [number[], RegExp])[] = [
        [all(0), /^(EVENTS|SYNCED)$/],
        [all(1_000_000_000), /^RESYNC$/],
        [all(Number.MAX_SAFE_INTEGER), /^RESYNC$/],
        [[...position.revisions, 0], /^RESYNC$/],
        [[...position.revisions, ...Array.from({ length: 4_000 }, () => 0)], /^RESYNC$/],
        [[...position.revisions, ...Array.from({ length: 5_000 }, () => 0)], /^INVALID_RESUME_TOKEN$/],
      ];
      for (const [revisions, expected] of outcomes) {
        expect(await outcomeOf(here.client, watch, of(revisions))).toMatch(expected);
      }
      for (const epoch of ["0", "A".repeat(32), `${position.epoch}0`.slice(-32)]) {
        expect(await outcomeOf(here.client, watch, of(position.revisions, epoch))).toBe("RESYNC");
      }
    });

    it("says RESYNC to a token of another deployment", async () => {
      const there = await deployment(settings());
      onTestFinished(() => close(there));
      expect(await outcomeOf(here.client, watch, await tokenOf(there.client, watch))).toBe("RESYNC");
    });
  });
});
