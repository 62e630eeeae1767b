import type { Redis } from "ioredis";
import { bounceOf } from "./bounce.js";
import { Clients } from "./clients.js";
import { Connection } from "./connection.js";
import { DeploymentError, openDeployment } from "./deployment.js";
import { unavailable } from "./failures.js";
import { Keys } from "./keys.js";
import { LogReader } from "./log-reader.js";
import type { RedisStorageSettings } from "./options.js";
import { RedisStorage } from "./redis-storage.js";
import { composeScripts } from "./scripts.js";
import { Shards } from "./shards.js";
import { slotOf } from "./slot.js";

/** How long another look at the deployment may take, in milliseconds, before it is tried again. */
const CHECK_MS = 2_000;
const IGNORE = (): void => undefined;

/**
 * Connects, makes the deployment where there is none, and begins to follow its log.
 *
 * @param signal calls the attempt off
 * @throws DeploymentError when what is there cannot be used; STORAGE_UNAVAILABLE when Redis cannot be reached in time; the reason of
 *   `signal` when it aborts before Redis was reached
 */
export async function openRedisStorage(settings: RedisStorageSettings, signal?: AbortSignal): Promise<RedisStorage> {
  const { target, prefix, connectTimeoutMs } = settings;
  const clients = new Clients(target);
  const deadline = performance.now() + connectTimeoutMs;
  const found = await lookAtDeployment(clients, settings, settings.partitions, connectTimeoutMs, signal);
  const keys = new Keys(prefix, found);
  const checkDeployment = async (): Promise<void> => {
    await lookAtDeployment(clients, settings, found, CHECK_MS);
  };
  const shards = new Shards(clients, keys, composeScripts(settings, keys.partitions), settings);
  try {
    await inTime(shards, deadline - performance.now(), signal);
    const reader = new LogReader(shards, keys, settings, checkDeployment);
    const storage = new RedisStorage(shards, reader, keys, settings);
    await storage.start();
    return storage;
  } catch (failure) {
    shards.close();
    throw failure;
  }
}

/** Opens the deployment over a connection of its own: in a Cluster its key is at a node of its own. */
async function lookAtDeployment(
  clients: Clients,
  { prefix, onEvent }: RedisStorageSettings,
  partitions: number | undefined,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<number> {
  const name = `${prefix}-deployment`;
  const slot = slotOf(Keys.deployment(prefix));
  let count = 0;
  let refusal: DeploymentError | undefined;
  // What fails otherwise is tried again, over another connection.
  const open = async (client: Redis): Promise<void> => {
    try {
      count = await openDeployment(client, prefix, partitions);
    } catch (thrown) {
      if (thrown instanceof DeploymentError) {
        refusal = thrown;
        return;
      }
      const bounce = bounceOf(thrown);
      if (bounce?.kind === "moved" && bounce.to !== undefined) clients.redirect(slot, bounce.to);
      throw thrown;
    }
  };
  const connection = new Connection(clients.make(name, slot), {
    name,
    role: "commands",
    onOpen: open,
    onEvent: IGNORE,
  });
  try {
    await inTime(connection, timeoutMs, signal);
  } finally {
    connection.close();
  }
  if (refusal === undefined) return count;
  onEvent({ kind: "refused", cause: refusal });
  throw refusal;
}

interface Opening {
  whenOpen(): Promise<unknown>;
  readonly lastFailure: unknown;
}

async function inTime(opening: Opening, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
  let forget = IGNORE;
  const over = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(unavailable(opening.lastFailure)), timeoutMs);
    const onAbort = (): void => resolve();
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted === true) resolve();
    forget = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
  });
  try {
    await Promise.race([opening.whenOpen(), over]);
    signal?.throwIfAborted();
  } finally {
    forget();
  }
}
