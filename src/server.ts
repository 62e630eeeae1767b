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
import { Health } from "../gen/health/v1/health_pb.js";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { AgentService } from "../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../gen/opscore/v1/state_service_pb.js";
import { checkConfig, type Config } from "./config/index.js";
import { CallLog, createAuthenticator, createLogger, Gate, OpenCallLimit } from "./interceptors/index.js";
import { systemClock, type Clock } from "./lib/clock.js";
import { createServices, DEFAULT_LIMITS, type Services } from "./services/index.js";
import { LeaseSweeper } from "./services/lease-sweeper.js";
import { createMemoryStorage } from "./storage/memory/index.js";
import type { Storage } from "./storage/storage.js";
import { RouteTable } from "./transport/routes.js";
import { createHealthService } from "./transport/standard/health.js";
import { Readiness } from "./transport/standard/readiness.js";
import { createReflection } from "./transport/standard/reflection.js";
import { Transport, type ServerAddress } from "./transport/transport.js";
import { DEFAULT_WINDOW_SIZE, WatchHub } from "./watch/hub.js";

export { ConfigError, describeConfig, loadConfig, type Config, type ConfigProblem } from "./config/index.js";
export type { Clock } from "./lib/clock.js";
export type { Storage } from "./storage/storage.js";
export type { ServerAddress } from "./transport/transport.js";

/** After the drain time-out, what is cut off still gets this long to be told so, in milliseconds. */
const LAST_WORDS_MS = 200;

/** What a server may be given instead of making it. */
export interface ServerDependencies {
  /** Used instead of the configured storage. It stays open when the server closes: whoever made it closes it. */
  readonly storage?: Storage;
  /** Used instead of the clocks of the process. */
  readonly clock?: Clock;
  /** Used instead of a logger to standard error. */
  readonly logger?: Logger;
}

/** A server that was put together. */
export interface OpsCoreServer {
  /**
   * Opens the port. May be called once.
   *
   * @returns where the server can be reached
   * @throws the system's error when the port cannot be opened: EADDRINUSE, EACCES, ENOTFOUND
   */
  listen(): Promise<ServerAddress>;
  /**
   * Stops: health checks say no, no new call is taken, watches end with UNAVAILABLE after their last resume token, calls in
   * flight finish, for at most the configured drain time-out. May be called again; all calls answer together.
   */
  close(): Promise<void>;
  /** Where the server can be reached; undefined while it does not listen. */
  readonly address: ServerAddress | undefined;
  readonly storage: Storage;
}

/**
 * Puts a server together. It does not listen yet.
 *
 * @param config from `loadConfig`, or made from its result
 * @throws ConfigError when the settings do not go together
 */
export async function build(config: Config, dependencies: ServerDependencies = {}): Promise<OpsCoreServer> {
  checkConfig(config);
  const logger = dependencies.logger ?? (await createLogger(config));
  const clock = dependencies.clock ?? systemClock;
  const storage = dependencies.storage ?? createStorage(config, clock);
  const server = new Server(config, storage, dependencies.storage === undefined, clock, logger);
  try {
    await server.start();
  } catch (failure) {
    await server.close();
    throw failure;
  }
  return server;
}

function createStorage(config: Config, clock: Clock): Storage {
  return createMemoryStorage({
    clock,
    logCapacity: config.logMaxEntries,
    historyLimit: config.historyMaxEntries,
    historyAgeMs: config.historyMaxAgeMs,
    maxHeldReports: config.maxHeldReports,
  });
}

class Server implements OpsCoreServer {
  address: ServerAddress | undefined;
  private readonly hub: WatchHub;
  private readonly services: Services;
  private readonly sweeper: LeaseSweeper;
  private readonly gate: Gate;
  private readonly readiness: Readiness;
  private readonly transport: Transport;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly config: Config,
    readonly storage: Storage,
    private readonly ownsStorage: boolean,
    clock: Clock,
    private readonly logger: Logger,
  ) {
    const log = new CallLog(logger);
    // What the log may forget, the hub need not remember.
    this.hub = new WatchHub(storage, { windowSize: Math.min(DEFAULT_WINDOW_SIZE, config.logMaxEntries) });
    this.services = createServices({
      storage,
      hub: this.hub,
      clock,
      limits: { ...DEFAULT_LIMITS, dataBytes: config.maxDataBytes },
      onDefect: (errorId, thrown) => log.defect(errorId, thrown),
    });
    this.sweeper = new LeaseSweeper(storage, {
      clock,
      intervalMs: config.leaseSweepIntervalMs,
      onExpired: ({ suspected, lost }) => logger.info({ suspected, lost }, "leases ran out"),
      onBrake: (braked) => logBrake(logger, braked),
      onFailure: (thrown) => logger.error({ err: thrown }, "leases could not be swept"),
    });
    this.readiness = new Readiness(() => storage.ready());
    this.gate = new Gate({
      authenticate: createAuthenticator(config.apiKey),
      openCalls: new OpenCallLimit(config.maxStreams),
      log,
    });
    const routes = createRoutes(this.services, this.readiness);
    this.transport = new Transport({ config, routes, gate: this.gate, readiness: this.readiness, logger });
  }

  async start(): Promise<void> {
    await this.hub.start();
    this.sweeper.start();
  }

  async listen(): Promise<ServerAddress> {
    const address = await this.transport.listen(this.config.host, this.config.port);
    this.address = address;
    this.logger.info({ ...address, storage: this.config.storageType }, "listening");
    return address;
  }

  close(): Promise<void> {
    return (this.closing ??= this.stop());
  }

  private async stop(): Promise<void> {
    this.logger.info("stopping");
    this.readiness.stop();
    this.gate.stop();
    const drained = this.transport.drain();
    this.sweeper.stop();
    this.services.stopReports();
    await this.hub.stop();
    if (!(await within(drained, this.config.drainTimeoutMs))) {
      this.logger.warn({ drainTimeoutMs: this.config.drainTimeoutMs }, "calls were cut off");
      // Closing the storage fails reports that are still held, so that their callers hear why.
      if (this.ownsStorage) await this.storage.close();
      await within(drained, LAST_WORDS_MS);
    }
    this.transport.destroy();
    if (this.ownsStorage) await this.storage.close();
    this.address = undefined;
    this.logger.info("stopped");
  }
}

function createRoutes({ agents, states, sessions }: Services, readiness: Readiness): RouteTable {
  const routes = new RouteTable()
    .service(AgentService, agents)
    .service(StateService, states)
    .service(SessionService, sessions);
  const own = routes.services.slice();
  const reflection = createReflection(() => routes.services, readiness);
  return routes
    .service(Health, createHealthService(own, readiness))
    .service(ServerReflection, reflection)
    .service(ServerReflectionAlpha, reflection);
}

function logBrake(logger: Logger, braked: number): void {
  if (braked > 0) logger.error({ braked }, "too many leases ran out at once: those agents stay SUSPECT");
  else logger.info("the mass-expiry brake was released");
}

/** Whether `done` came within `ms` milliseconds. */
async function within(done: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  const result = await Promise.race([done.then(() => true), late]);
  clearTimeout(timer);
  return result;
}
