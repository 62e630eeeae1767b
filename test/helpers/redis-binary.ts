/** Finds a Redis or Valkey server for the tests, and installs one where that is possible: the storage is never tried on a mock. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

const SERVERS = ["redis-server", "valkey-server"] as const;

const HOW =
  "These tests run against real Redis processes, and there is no redis-server here. Install Redis 7 or Valkey " +
  "(Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), or name a server in OPSCORE_TEST_REDIS_SERVER.";

let found: Promise<string> | undefined;

/**
 * The command that starts a server.
 *
 * @throws Error that says how to get one, when there is none and none can be installed
 */
export function redisBinary(): Promise<string> {
  return (found ??= find());
}

async function find(): Promise<string> {
  const named = process.env["OPSCORE_TEST_REDIS_SERVER"];
  if (named !== undefined && named !== "") {
    if (await works(named)) return named;
    throw new Error(`OPSCORE_TEST_REDIS_SERVER names ${named}, which does not run`);
  }
  for (const server of SERVERS) if (await works(server)) return server;
  await install();
  for (const server of SERVERS) if (await works(server)) return server;
  throw new Error(HOW);
}

async function works(server: string): Promise<boolean> {
  try {
    await run(server, ["--version"]);
    return true;
  } catch {
    return false;
  }
}

/** Needs root and a Debian-like system. Workers that come here together queue on apt's own lock. */
async function install(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error(HOW);
  const apt = (...args: string[]) =>
    run("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  try {
    await apt("update");
    await apt("install", "-y", "--no-install-recommends", "redis-server");
  } catch (cause) {
    throw new Error(HOW, { cause });
  }
}
