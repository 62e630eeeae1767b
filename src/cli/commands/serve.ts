import type { Command } from "commander";
import { ConfigError, isLoopback, SETTINGS, type Config } from "../../config/index.js";
import type { OpsCoreServer } from "../../server.js";
import { describe, type Host } from "../command.js";
import type { Context } from "../context.js";
import { CommandFailure, usageFailure } from "../failure.js";
import { definitionFailure } from "../definitions.js";
import { addSettingOptions, readConfig } from "../settings.js";
import { DEFAULT_URL } from "../target.js";

/** `opscore serve` */
export function define(command: Command, { context, finish }: Host): void {
  describe(command, {
    summary: "Start a server",
    details:
      "Every setting is an option and an environment variable; the option wins. SIGTERM and SIGINT (Ctrl-C) stop the server: calls in flight finish, for at most the drain time-out. A second signal ends it at once. Logs go to standard error.",
    examples: [
      ["opscore serve", "on http://127.0.0.1:8080, for this machine"],
      ["OPSCORE_API_KEY=... opscore serve --host 0.0.0.0 --log-format json", "for others, who need the key"],
      ["opscore serve --workflows-dir ./workflows", "with the workflows that are defined there"],
      ["REDIS_URL=redis://10.0.0.5:6379 opscore serve --storage-type redis", "one of several on the same Redis"],
    ],
  });
  addSettingOptions(command);
  command.action(async () => {
    await serve(readConfig(command, context), context);
    finish("OK");
  });
}

/** Serves until somebody asks for the end. */
async function serve(config: Config, { out, err, signal }: Context): Promise<void> {
  const server = await start(config, signal);
  try {
    const { url } = await listen(server, config);
    out.line(`listening on ${url}`);
    if (out.forPeople && err.forPeople) {
      err.fields([
        ["  storage", [{ text: storage(config) }]],
        ["  access", [{ text: access(config) }]],
        ["  look", config.dashboard ? [{ text: `${url}/dashboard`, look: "cyan" }] : []],
        ["  try", [{ text: `opscore state watch${urlFlag(url)}`, look: "cyan" }]],
        ["  stop", [{ text: "Ctrl-C" }]],
      ]);
    }
    await aborted(signal);
  } finally {
    await server.close();
  }
}

/** What other commands have to be told so that they find the server, when they do not by themselves. */
function urlFlag(url: string): string {
  return url === DEFAULT_URL ? "" : ` --url ${url}`;
}

async function start(config: Config, signal: AbortSignal): Promise<OpsCoreServer> {
  // Loaded only now, so that help comes at once.
  const { build, DefinitionFileError, StorageStartError } = await import("../../server.js");
  try {
    return await build(config, { signal });
  } catch (error) {
    if (error instanceof ConfigError) throw usageFailure(error.problems);
    if (error instanceof DefinitionFileError) throw definitionFailure(error.problems);
    if (!(error instanceof StorageStartError)) throw error;
    throw new CommandFailure("FAILURE", error.message, { hints: storageHints(error.message) });
  }
}

/** What to do about a storage that did not open. */
function storageHints(message: string): readonly string[] {
  const { redisUrl, redisHost, redisPort, redisUsername, redisPassword, storageType } = SETTINGS;
  if (/\b(NOAUTH|WRONGPASS|NOPERM)\b/.test(message)) {
    return [
      `${redisUsername.env} and ${redisPassword.env} name the user and the password, or ${redisUrl.env} holds them.`,
    ];
  }
  if (!message.startsWith("Redis at ")) return [];
  return [
    `${redisUrl.env}, or ${redisHost.env} and ${redisPort.env}, say where Redis is.`,
    `Without Redis: --${storageType.flag} memory`,
  ];
}

function storage({ storageType }: Config): string {
  return storageType === "memory"
    ? "in memory: what it knows is gone when it stops"
    : "in Redis: shared with every server that uses it";
}

function access({ apiKey, host }: Config): string {
  if (apiKey !== undefined) return "whoever has the API key";
  return isLoopback(host) ? "everybody on this machine" : "everybody who can reach it";
}

async function listen(server: OpsCoreServer, { host, port }: Config): ReturnType<OpsCoreServer["listen"]> {
  try {
    return await server.listen();
  } catch (error) {
    const failure = listenFailure(error instanceof Error && "code" in error ? error.code : undefined, host, port);
    throw failure ?? error;
  }
}

function listenFailure(code: unknown, host: string, port: number): CommandFailure | undefined {
  const portOption = `--${SETTINGS.port.flag} or ${SETTINGS.port.env}`;
  const hostOption = `--${SETTINGS.host.flag} or ${SETTINGS.host.env}`;
  switch (code) {
    case "EADDRINUSE":
      return new CommandFailure("FAILURE", `port ${port} of ${host} is in use`, {
        hints: [`Is a server running already? ${portOption} names another port, and 0 picks a free one.`],
      });
    case "EACCES":
      return new CommandFailure("FAILURE", `this user may not listen on port ${port}`, {
        hints: [`Ports below 1024 are often reserved: ${portOption} names another one.`],
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new CommandFailure("FAILURE", `${host} is not an address of this machine`, {
        hints: [`${hostOption} names the address; 127.0.0.1 is this machine only, 0.0.0.0 all of its addresses.`],
      });
    default:
      return undefined;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
