import { Redis, type RedisOptions } from "ioredis";
import { ClusterMap } from "./cluster-map.js";
import { connectorTo, DISCONNECT_TIMEOUT_MS } from "./connector.js";
import { formatAddress, type RedisAddress, type RedisTarget } from "./target.js";

/** How long to wait between attempts to reconnect, in milliseconds. */
const FIRST_RETRY_MS = 25;
const LAST_RETRY_MS = 500;
/** For how long to try one server, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2_000;
/** How long a Sentinel may take to answer. */
const SENTINEL_TIMEOUT_MS = 500;
const KEEPALIVE_MS = 10_000;

const retryDelay = (attempt: number): number => Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LAST_RETRY_MS);

/** Nothing is queued or sent again by the client: what a command was not answered is for its caller to decide. */
const CLIENT_OPTIONS: RedisOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: CONNECT_TIMEOUT_MS,
  keepAlive: KEEPALIVE_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  disableClientInfo: true,
  retryStrategy: retryDelay,
};

/** Makes the clients of one target. Each has one connection, which it makes again whenever it is lost. */
export class Clients {
  private readonly common: RedisOptions;
  private readonly cluster: ClusterMap | undefined;

  constructor(private readonly target: RedisTarget) {
    this.common = { ...CLIENT_OPTIONS, ...credentials(target), ...whereabouts(target) };
    if (target.kind !== "cluster") return;
    const once: RedisOptions = { ...this.common, enableReadyCheck: false, retryStrategy: () => null };
    this.cluster = new ClusterMap(target.seeds, (address) => new Redis({ ...once, ...address }));
  }

  /** Whether each slot has a primary of its own. */
  get isCluster(): boolean {
    return this.cluster !== undefined;
  }

  /**
   * @param name what `CLIENT LIST` calls it
   * @param slot that it is connected to the primary of; only looked at in a Cluster
   */
  make(name: string, slot: number): Redis {
    const { cluster, common, target } = this;
    const options = { ...common, connectionName: name };
    if (cluster === undefined) return new Redis(options);
    return new Redis({ ...options, Connector: connectorTo(() => cluster.primaryOf(slot), target.tls) });
  }

  /** A server said where a slot is. */
  redirect(slot: number, to: RedisAddress): void {
    this.cluster?.redirect(slot, to);
  }
}

function credentials({ username, password, tls }: RedisTarget): RedisOptions {
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: { ...tls } }),
  };
}

function whereabouts(target: RedisTarget): RedisOptions {
  switch (target.kind) {
    case "standalone":
      return { ...target.address, db: target.database ?? 0 };
    case "sentinel": {
      const { sentinels, masterName, sentinelUser, tls, database } = target;
      return {
        sentinels: [...sentinels],
        name: masterName,
        db: database ?? 0,
        // Leaves the old primary when the Sentinels say so, though it may still answer.
        failoverDetector: true,
        sentinelRetryStrategy: retryDelay,
        sentinelReconnectStrategy: retryDelay,
        sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
        ...(sentinelUser?.username === undefined ? {} : { sentinelUsername: sentinelUser.username }),
        ...(sentinelUser?.password === undefined ? {} : { sentinelPassword: sentinelUser.password }),
        ...(tls === undefined ? {} : { sentinelTLS: { ...tls }, enableTLSForSentinelMode: true }),
      };
    }
    case "cluster":
      return {};
  }
}

/** Where a client is connected to. */
export function addressOf({ stream }: Redis): string {
  const { remoteAddress = "?", remotePort = 0 } = stream as { remoteAddress?: string; remotePort?: number };
  return formatAddress({ host: remoteAddress, port: remotePort });
}
