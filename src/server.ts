/**
 * The server: the one place where its parts are put together, and where the order of its stop is decided.
 *
 * @example
 * ```ts
 * import { build, loadConfig } from "ops-core/server";
 *
 * const server = await build(loadConfig({ env: { OPSCORE_PORT: "0" } }));
 * const { url } = await server.listen();
 * // ...
 * await server.close();
 * ```
 *
 * @module
 */
import type { Logger } from "pino";
import { checkConfig, type Config } from "./config/index.js";
import { createLogger } from "./interceptors/index.js";
import { systemClock, type Clock } from "./lib/clock.js";
import { openStorage } from "./server/open-storage.js";
import { readWorkflowsDirectory } from "./server/workflow-files.js";
import { Server, type OpsCoreServer } from "./server/server.js";
import type { Storage } from "./storage/storage.js";

export { ConfigError, describeConfig, loadConfig, type Config, type ConfigProblem } from "./config/index.js";
export type { Clock } from "./lib/clock.js";
export { StorageStartError } from "./server/open-storage.js";
export type { OpsCoreServer } from "./server/server.js";
export { DefinitionFileError, type DefinitionProblem } from "./services/workflows/definition-files.js";
export type { Storage } from "./storage/storage.js";
export type { ServerAddress } from "./transport/transport.js";

/** What a server may be given instead of making it. */
export interface ServerDependencies {
  /** Used instead of the configured storage. It stays open when the server closes: whoever made it closes it. */
  readonly storage?: Storage;
  /** Used instead of the clocks of the process. */
  readonly clock?: Clock;
  /** Used instead of a logger to standard error. */
  readonly logger?: Logger;
  /** Calls off the wait for a storage that is not there yet, or does not answer. */
  readonly signal?: AbortSignal;
}

/**
 * Puts a server together. It does not listen yet.
 *
 * @param config from `loadConfig`, or made from its result
 * @throws ConfigError when the settings do not go together; StorageStartError when the storage cannot be opened; DefinitionFileError
 *   when the workflow files cannot be used; the reason of `signal` when it aborts before the storage is there
 */
export async function build(config: Config, dependencies: ServerDependencies = {}): Promise<OpsCoreServer> {
  checkConfig(config);
  const logger = dependencies.logger ?? (await createLogger(config));
  const clock = dependencies.clock ?? systemClock;
  const definitions = await readWorkflowsDirectory(config);
  const { storage, status } =
    dependencies.storage === undefined
      ? await openStorage(config, clock, logger, dependencies.signal)
      : { storage: dependencies.storage, status: undefined };
  const ownsStorage = dependencies.storage === undefined;
  const server = new Server({ config, storage, status, ownsStorage, clock, logger });
  try {
    await server.start(definitions, dependencies.signal);
  } catch (failure) {
    await server.close();
    throw failure;
  }
  return server;
}
