import { Clients } from "./clients.js";
import { unavailable } from "./failures.js";
import { Connection } from "./connection.js";
import { DeploymentError, openDeployment } from "./deployment.js";
import { Keys } from "./keys.js";
import { Link, type RedisClient } from "./link.js";
import { LogReader } from "./log-reader.js";
import type { RedisStorageSettings } from "./options.js";
import { RedisStorage } from "./redis-storage.js";
import { RedisTime } from "./redis-time.js";
import { composeScripts } from "./scripts.js";

/**
 * Connects, makes the deployment where there is none, and begins to follow its log.
 *
 * @throws DeploymentError when what is there cannot be used; STORAGE_UNAVAILABLE when Redis cannot be reached in time
 */
export async function openRedisStorage(settings: RedisStorageSettings): Promise<RedisStorage> {
  const { target, prefix, onEvent } = settings;
  if (target.kind === "cluster" || settings.waitReplicas > 0) {
    throw new DeploymentError("a Redis Cluster, and waiting for replicas, are not supported yet");
  }
  const time = new RedisTime(settings.clock);
  const clients = new Clients(target);
  const connection = new Connection(clients.make(prefix), {
    name: prefix,
    role: "commands",
    onOpen: (client) => readTime(client, time),
    onEvent,
  });
  const logName = `${prefix}-log`;
  const logConnection = new Connection(clients.make(logName), { name: logName, role: "log", onEvent });
  try {
    await inTime(connection, settings.connectTimeoutMs);
    const partitions = await openDeployment(connection.client, prefix, settings.partitions);
    await inTime(logConnection, settings.connectTimeoutMs);

    const keys = new Keys(prefix, partitions);
    const scripts = composeScripts(settings, partitions);
    const linkOver = ({ client }: Connection, over: Connection): Link =>
      new Link(
        client,
        scripts,
        time,
        settings,
        () => over.isOpen,
        () => over.renew(new Error("no answer in time")),
      );
    const checkDeployment = async (): Promise<void> => {
      try {
        await openDeployment(connection.client, prefix, partitions);
      } catch (cause) {
        if (cause instanceof DeploymentError) onEvent({ kind: "refused", cause });
        throw cause;
      }
    };
    const logLink = linkOver(logConnection, logConnection);
    const reader = new LogReader(logConnection, logLink, keys, settings, checkDeployment);
    const storage = new RedisStorage(
      connection,
      logConnection,
      reader,
      linkOver(connection, connection),
      keys,
      settings,
    );
    await storage.start();
    return storage;
  } catch (failure) {
    connection.close();
    logConnection.close();
    throw failure;
  }
}

async function readTime(client: RedisClient, time: RedisTime): Promise<void> {
  const [seconds = 0, micros = 0] = await client.time();
  time.set(seconds * 1_000 + micros / 1_000);
}

async function inTime(connection: Connection, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable(connection.lastFailure)), timeoutMs);
  });
  try {
    await Promise.race([connection.whenOpen(), late]);
  } finally {
    clearTimeout(timer);
  }
}
