/** A Redis primary with two replicas and three Sentinels, as real processes. */
import { once } from "node:events";
import { Redis } from "ioredis";
import type { RedisTarget, RedisTls } from "../../src/storage/redis/index.js";
import type { Certificates } from "./certificates.js";
import { freePort } from "./processes.js";
import { RedisProcess, type RedisProcessOptions } from "./redis-process.js";
import { untilReplicated } from "./redis-replicas.js";

export const MASTER_NAME = "opscore-primary";
const QUORUM = 2;
/** Long enough for a busy machine not to make a primary fail: a case that wants a failover asks for less. */
const DOWN_AFTER_MS = 15_000;
const FAILOVER_TIMEOUT_MS = 4_000;
/** How often a Sentinel looks and tells, in milliseconds; a production one does so every 1 to 10 seconds. */
const PERIOD_MS = "100";
/**
 * Two of them are for more than that, so they are longer afterwards. A Sentinel takes no replica whose INFO is older than five pings, and
 * while the primary is down it asks for one each second. One that has not heard of a failover for some publish periods takes it back.
 */
const LATER_PERIODS = ["ping-period", "300", "publish-period", "2000"];

export interface SentinelsOptions {
  /** Further settings of the three Redis servers. */
  readonly settings?: Readonly<Record<string, string>>;
  /** For how long a primary may be silent before the Sentinels choose another, in milliseconds. */
  readonly downAfterMs?: number;
  /** What Redis and the Sentinels want to hear. */
  readonly password?: string;
  /** Not given: plain TCP. */
  readonly certificates?: Certificates;
}

export class RedisSentinels {
  private readonly clients: Redis[] = [];

  private constructor(
    readonly servers: readonly RedisProcess[],
    readonly sentinels: readonly RedisProcess[],
    private readonly password: string | undefined,
    private readonly certificates: Certificates | undefined,
  ) {}

  /** Starts all of them, and waits until the Sentinels know each other and the replicas. */
  static async start({
    settings = {},
    downAfterMs = DOWN_AFTER_MS,
    password,
    certificates,
  }: SentinelsOptions = {}): Promise<RedisSentinels> {
    const start = async ({ settings, ...options }: RedisProcessOptions): Promise<RedisProcess> => {
      if (certificates === undefined) return RedisProcess.start({ ...options, settings: { ...settings } });
      const port = await freePort();
      return RedisProcess.start({ ...options, port, settings: { ...settings, ...certificates.settings(port) } });
    };
    const auth = password === undefined ? {} : { requirepass: password, masterauth: password };
    const common = { "repl-diskless-sync-delay": "0", ...auth, ...settings };
    const primary = await start({ settings: common });
    const replicaof = `${primary.host} ${primary.port}`;
    const replicas = await Promise.all([1, 2].map(() => start({ settings: { ...common, replicaof } })));
    const config = [
      ...(password === undefined ? [] : [`requirepass ${password}`]),
      `sentinel monitor ${MASTER_NAME} ${primary.host} ${primary.port} ${QUORUM}`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
      `sentinel parallel-syncs ${MASTER_NAME} 2`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} ${password}`]),
      "",
    ].join("\n");
    const sentinels = await Promise.all([1, 2, 3].map(() => start({ sentinelConfig: config })));
    const all = new RedisSentinels([primary, ...replicas], sentinels, password, certificates);
    await untilReplicated(all.client(primary), replicas.length, "ready");
    await Promise.all(sentinels.map((sentinel) => all.settled(sentinel)));
    return all;
  }

  get target(): RedisTarget {
    return {
      kind: "sentinel",
      sentinels: this.sentinels.map(({ host, port }) => ({ host, port })),
      masterName: MASTER_NAME,
      ...(this.password !== undefined && { password: this.password, sentinelUser: { password: this.password } }),
      ...this.tls,
    };
  }

  /** A client of one of the processes. */
  client(of: RedisProcess): Redis {
    const client = new Redis({
      host: of.host,
      port: of.port,
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
      ...(this.password !== undefined && { password: this.password }),
      ...this.tls,
    });
    client.on("error", () => undefined);
    this.clients.push(client);
    return client;
  }

  /** The server that the Sentinels call the primary. */
  async primary(): Promise<RedisProcess> {
    const address = await this.client(this.sentinelThatRuns()).call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME);
    const [, port] = Array.isArray(address) ? address.map(String) : [];
    const found = this.servers.find((server) => String(server.port) === port);
    if (found === undefined) throw new Error(`no server listens on port ${String(port)}`);
    return found;
  }

  /** Prepares to wait for the Sentinels to choose another primary; call what it answers to wait. */
  async failover(): Promise<() => Promise<void>> {
    const subscriber = this.client(this.sentinelThatRuns());
    await subscriber.subscribe("+switch-master");
    const switched = once(subscriber, "message");
    return async () => {
      await switched;
      subscriber.disconnect();
    };
  }

  /** Has the Sentinels choose another primary though this one is well; again, when they give up on it. */
  async handOver(): Promise<void> {
    const sentinel = this.sentinelThatRuns();
    const client = this.client(sentinel);
    const ask = (): Promise<unknown> => client.call("SENTINEL", "FAILOVER", MASTER_NAME);
    const subscriber = this.client(sentinel);
    subscriber.on("pmessage", () => void ask().catch(() => undefined));
    await subscriber.psubscribe("-failover-abort-*");
    await ask();
  }

  async remove(): Promise<void> {
    for (const client of this.clients) client.disconnect();
    await Promise.all([...this.sentinels, ...this.servers].map((each) => each.remove()));
  }

  private get tls(): { tls?: RedisTls } {
    return this.certificates === undefined ? {} : { tls: this.certificates.client };
  }

  private sentinelThatRuns(): RedisProcess {
    const [first] = this.sentinels;
    if (first === undefined) throw new Error("there are three Sentinels");
    return first;
  }

  /** Waits until a Sentinel knows both replicas and both other Sentinels. */
  private async settled(sentinel: RedisProcess): Promise<void> {
    const client = this.client(sentinel);
    await client.call("SENTINEL", "DEBUG", ...PERIODS.flatMap((name) => [name, PERIOD_MS]));
    const subscriber = this.client(sentinel);
    const events = new Promise<void>((resolve) => {
      const look = (): void => {
        void client.call("SENTINEL", "MASTER", MASTER_NAME).then((reply) => {
          const facts = Array.isArray(reply) ? reply.map(String) : [];
          const fact = (name: string): string | undefined => facts[facts.indexOf(name) + 1];
          if (fact("num-slaves") === "2" && fact("num-other-sentinels") === "2") resolve();
        });
      };
      subscriber.on("pmessage", look);
      void subscriber.psubscribe("*").then(look);
    });
    await events;
    subscriber.disconnect();
    await client.call("SENTINEL", "DEBUG", ...LATER_PERIODS);
  }
}

const PERIODS = ["info-period", "ping-period", "ask-period", "publish-period"];
