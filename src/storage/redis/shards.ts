import type { Redis } from "ioredis";
import { addressOf, type Clients } from "./clients.js";
import { Connection } from "./connection.js";
import type { Keys } from "./keys.js";
import { Link } from "./link.js";
import type { RedisStorageSettings, RedisConnectionStatus } from "./options.js";
import { RedisTime } from "./redis-time.js";
import { Replicas } from "./replicas.js";
import { loadScripts, type Scripts } from "./scripts.js";
import { slotOf } from "./slot.js";

/** Of the time that a command has, how much of it replicas may take to confirm it. */
const CONFIRM_SHARE = 0.5;

/** Partitions that are reached together: all of them on one server, a single one in a Cluster. */
export interface Shard {
  readonly partitions: readonly number[];
  /** The meta keys of its partitions. */
  readonly metas: readonly string[];
  readonly link: Link;
  /** What the log is read over; it blocks. */
  readonly logConnection: Connection;
  readonly logLink: Link;
}

/** The connections of a storage. */
export class Shards {
  readonly all: readonly Shard[];
  private readonly byPartition: readonly Shard[];
  private readonly connections: readonly Connection[];
  private readonly replicas: readonly Replicas[];

  constructor(clients: Clients, keys: Keys, scripts: Scripts, settings: RedisStorageSettings) {
    const { prefix, onEvent, waitReplicas, commandTimeoutMs } = settings;
    const connections: Connection[] = [];
    const replicas: Replicas[] = [];

    // Connections to one server that are made together need not each tell it all scripts.
    const loading = new Map<string, Promise<void>>();
    const load = (client: Redis): Promise<void> => {
      const address = addressOf(client);
      const begun = loading.get(address);
      if (begun !== undefined) return begun;
      const loaded = loadScripts(client, scripts).finally(() => loading.delete(address));
      loading.set(address, loaded);
      return loaded;
    };

    const makeShard = (partitions: readonly number[], suffix: string): Shard => {
      const metas = partitions.map((partition) => keys.meta(partition));
      const slot = slotOf(metas[0] ?? "");
      const time = new RedisTime(settings.clock);
      const connect = (role: RedisConnectionStatus["role"]): Connection => {
        const name = `${prefix}${suffix}${role === "log" ? "-log" : ""}`;
        const connection = new Connection(clients.make(name, slot), {
          name,
          role,
          onOpen: async (client) => {
            await time.read(client);
            if (role === "commands") await load(client);
          },
          redirect: (to) => clients.redirect(slot, to),
          onEvent,
        });
        connections.push(connection);
        return connection;
      };
      const connection = connect("commands");
      const logConnection = connect("log");
      const confirming = new Replicas(connection, {
        waitReplicas,
        timeoutMs: Math.floor(commandTimeoutMs * CONFIRM_SHARE),
        onEvent,
      });
      replicas.push(confirming);
      return {
        partitions,
        metas,
        link: new Link(connection, scripts, time, settings, confirming),
        logConnection,
        logLink: new Link(logConnection, scripts, time, settings),
      };
    };

    const every = keys.metas.map((_, partition) => partition);
    this.all = clients.isCluster
      ? every.map((partition) => makeShard([partition], `-p${String(partition).padStart(2, "0")}`))
      : [makeShard(every, "")];
    this.byPartition = this.all.flatMap((shard) => shard.partitions.map(() => shard));
    this.connections = connections;
    this.replicas = replicas;
  }

  of(partition: number): Shard {
    const shard = this.byPartition[partition];
    if (shard === undefined) throw new RangeError(`there is no partition ${partition}`);
    return shard;
  }

  /** Whether commands can be sent to all partitions, and all their logs be read. */
  get areOpen(): boolean {
    return this.connections.every(({ isOpen }) => isOpen);
  }

  get areShortOfReplicas(): boolean {
    return this.replicas.some(({ areShort }) => areShort);
  }

  get statuses(): readonly RedisConnectionStatus[] {
    return this.connections.map(({ status }) => status);
  }

  /** Answers when all connections are open. */
  async whenOpen(): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.whenOpen()));
  }

  /** Why a connection is not open; undefined when all are. */
  get lastFailure(): unknown {
    return this.connections.find(({ isOpen }) => !isOpen)?.lastFailure;
  }

  close(): void {
    for (const replicas of this.replicas) replicas.close();
    for (const connection of this.connections) connection.close();
  }
}
