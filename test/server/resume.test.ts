import { once } from "node:events";
import { connect } from "node:http2";
import net from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { State } from "../../src/storage/records.js";
import { ChainCheck, RawWatch } from "../helpers/raw-watch.js";
import { aRegistration, aReport } from "../helpers/records.js";
import { startServer } from "../helpers/server.js";

const LIVES = 1000;
const AGENTS = 20;
/** 10 commits every 5 milliseconds: 2,000 a second. */
const TICK_MS = 5;
const COMMITS_PER_TICK = 10;
/** A connection dies after at most so many bytes from the server, which may be in the middle of a frame. */
const MAX_LIFE_BYTES = 8000;
/**
 * Nothing is committed while the watcher is so many events behind. More than a life can carry would end every life before
 * its first message, on a machine too busy to keep up, and the test would be about nothing.
 */
const MAX_BEHIND = 30;

/** Passes bytes on to `port`, and cuts each connection when the server has sent as much as `lifeBytes` says for it. */
async function startFlakyProxy(port: number, lifeBytes: () => number): Promise<string> {
  const proxy = net.createServer((client) => {
    const server = net.connect(port, "127.0.0.1");
    let left = lifeBytes();
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    client
      .on("data", (chunk) => server.write(chunk))
      .on("close", cut)
      .on("error", cut);
    server.on("close", cut).on("error", cut);
    server.on("data", (chunk) => {
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      // What was written still arrives: the connection dies in the middle, it does not unsay anything.
      if (left <= 0) client.destroySoon();
    });
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => void proxy.close());
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return `http://127.0.0.1:${address.port}`;
}

describe("a watch whose connection dies", () => {
  it(
    "a thousand times under up to 2,000 commits a second loses nothing and repeats nothing",
    { timeout: 90_000 },
    async () => {
      const { server, port } = await startServer({ logLevel: "warn" });
      const { storage } = server;
      for (let i = 0; i < AGENTS; i++) await storage.registerAgent(aRegistration(`a${i}`));

      // A fixed sequence of lives, so that a failure can be repeated.
      let seed = 1;
      const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
      let mortal = false;
      const url = await startFlakyProxy(port, () => (mortal ? Math.ceil(random() * MAX_LIFE_BYTES) : Infinity));
      const chain = new ChainCheck();
      const kinds = new Set<WatchKind>();
      let token = "";
      /** Watches until the connection dies, or until `isEnough`. */
      const live = async (isEnough: () => boolean = () => false): Promise<void> => {
        const session = connect(url);
        session.on("error", () => undefined);
        const watch = new RawWatch(session, { resumeToken: token });
        await new Promise<void>((resolve, reject) => {
          session.once("close", resolve);
          watch.onMessage = (message) => {
            try {
              kinds.add(message.kind);
              chain.seeAll(message);
              token = message.resumeToken;
              if (isEnough()) session.destroy();
            } catch (thrown) {
              reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
            }
          };
          watch.read();
        });
      };

      // The first life only finds its place, before the first commit.
      await live(() => token !== "");
      let commits = 0;
      const writer = setInterval(() => {
        if (commits - chain.count > MAX_BEHIND) return;
        for (let i = 0; i < COMMITS_PER_TICK; i++, commits++) {
          const state = Math.floor(commits / AGENTS) % 2 === 0 ? State.IDLE : State.ACTIVE;
          void storage.setState(aReport(`a${commits % AGENTS}`, state));
        }
      }, TICK_MS);
      onTestFinished(() => clearInterval(writer));
      mortal = true;
      let productive = 0;
      for (let i = 0; i < LIVES; i++) {
        const seen = chain.count;
        await live();
        if (chain.count > seen) productive += 1;
      }
      clearInterval(writer);
      mortal = false;
      if (chain.count < commits) await live(() => chain.count >= commits);

      expect(chain.count).toBe(commits);
      expect(kinds).not.toContain(WatchKind.RESYNC);
      expect(productive).toBeGreaterThan(LIVES / 4);
    },
  );
});
