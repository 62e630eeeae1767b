/**
 * A server: its parts, and the order in which they start and stop.
 */
import type { Logger } from "pino";
import type { Config } from "../config/index.js";
import { serverStopping } from "../errors/index.js";
import { CallLog, createAuthenticator, Gate, OpenCallLimit } from "../interceptors/index.js";
import type { Clock } from "../lib/clock.js";
import { packageVersion } from "../lib/version.js";
import { createServices, type Services } from "../services/index.js";
import { LeaseSweeper } from "../services/lease-sweeper.js";
import { WebhookDeliveries } from "../services/webhooks/deliveries.js";
import type { FileDefinition } from "../services/workflows/definition-files.js";
import { loadDefinitions } from "../services/workflows/load-definitions.js";
import type { Storage } from "../storage/storage.js";
import { Readiness } from "../transport/standard/readiness.js";
import { Transport, type ServerAddress } from "../transport/transport.js";
import { DEFAULT_WINDOW_SIZE, WatchHub } from "../watch/hub.js";
import { serviceLimits } from "./limits.js";
import { createMetricsPage } from "./metrics/page.js";
import { patiently } from "./patiently.js";
import { createHttpRoutes, createRoutes } from "./routes.js";
import type { StorageStatus } from "./storage-status.js";
import { TaskRunner } from "./task-runner.js";

/** After the drain time-out, what is cut off still gets this long to be told so, in milliseconds. */
const LAST_WORDS_MS = 200;

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

/** What a server is made of. */
export interface ServerParts {
  readonly config: Config;
  readonly storage: Storage;
  /** What is known of the storage's condition besides; undefined: nothing. */
  readonly status: StorageStatus | undefined;
  /** Whether the storage is closed with the server. */
  readonly ownsStorage: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Server implements OpsCoreServer {
  address: ServerAddress | undefined;
  readonly storage: Storage;
  private readonly config: Config;
  private readonly ownsStorage: boolean;
  private readonly logger: Logger;
  private readonly hub: WatchHub;
  private readonly services: Services;
  private readonly sweeper: LeaseSweeper;
  private readonly tasks: TaskRunner;
  private readonly webhooks: WebhookDeliveries;
  private readonly gate: Gate;
  private readonly readiness: Readiness;
  private readonly transport: Transport;
  private closing: Promise<void> | undefined;

  constructor({ config, storage, status, ownsStorage, clock, logger }: ServerParts) {
    this.config = config;
    this.storage = storage;
    this.ownsStorage = ownsStorage;
    this.logger = logger;
    const log = new CallLog(logger);
    // What the log may forget, the hub need not remember.
    this.hub = new WatchHub(storage, { windowSize: Math.min(DEFAULT_WINDOW_SIZE, config.logMaxEntries) });
    this.services = createServices({
      storage,
      hub: this.hub,
      clock,
      limits: serviceLimits(config),
      onDefect: (errorId, thrown) => log.defect(errorId, thrown),
    });
    this.sweeper = new LeaseSweeper(storage, {
      clock,
      intervalMs: config.leaseSweepIntervalMs,
      onExpired: ({ suspected, lost }) => logger.info({ suspected, lost }, "leases ran out"),
      onBrake: (braked) => logBrake(logger, braked),
      onFailure: (thrown) => logger.error({ err: thrown }, "leases cannot be swept"),
      onRecovery: () => logger.info("leases are swept again"),
    });
    this.tasks = new TaskRunner(storage, { config, clock, logger });
    this.webhooks = new WebhookDeliveries(storage, {
      clock,
      watchState: this.services.states.watchState,
      allowInside: config.outboundAllowPrivate,
      takeoverMs: config.webhookTakeoverMs,
      onFailure: (thrown) => logger.error({ err: thrown }, "webhooks cannot be served"),
      onUnreadable: (failure) =>
        logger.error({ err: failure, key: failure.metadata["key"] }, "a webhook cannot be read"),
    });
    this.readiness = new Readiness(() => storage.ready(), { explain: () => status?.trouble });
    if (status !== undefined) status.onChange = () => void this.readiness.check();
    const authenticate = createAuthenticator(config.apiKey);
    this.gate = new Gate({ authenticate, openCalls: new OpenCallLimit(config.maxStreams), log });
    const metrics = createMetricsPage(
      {
        version: packageVersion(),
        calls: this.gate.metrics,
        watch: this.hub.stats,
        sweeper: this.sweeper,
        tasks: this.tasks,
        webhooks: this.webhooks,
        readiness: this.readiness,
        storage,
        status,
        connections: () => this.transport.connections,
      },
      config.metricsOpen ? undefined : authenticate,
    );
    const routes = createRoutes(this.services, this.readiness);
    const { services, readiness, gate } = this;
    const httpRoutes = createHttpRoutes({ config, services, readiness, metrics, storage, clock });
    this.transport = new Transport({ config, routes, httpRoutes, gate, logger });
  }

  /**
   * @param definitions that are to be stored before the first call is taken
   * @param signal calls it off: whoever does so closes the server
   * @throws StorageStartError when the storage cannot be used; SERVER_STOPPING when the server is closed meanwhile; the reason of `signal`
   */
  async start(definitions: readonly FileDefinition[] = [], signal?: AbortSignal): Promise<void> {
    await this.begin(() => this.hub.start(), signal);
    this.sweeper.start();
    await this.begin(() => this.tasks.start(), signal);
    this.webhooks.start();
    if (definitions.length === 0) return;
    const loading = () => loadDefinitions(this.storage, definitions, serviceLimits(this.config));
    const { stored, unchanged } = await this.begin(loading, signal);
    this.logger.info({ stored, unchanged: unchanged.length }, "workflows loaded");
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

  /** Begins a part that needs the storage. What comes after it must not begin when the server was closed meanwhile. */
  private async begin<T>(part: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const begun = await patiently(part, this.config.redisConnectTimeoutMs, signal);
    if (this.closing !== undefined) throw serverStopping();
    return begun;
  }

  private async stop(): Promise<void> {
    // One that never served has nothing to take leave of; why it did not is told by whoever tried.
    const served = this.address !== undefined;
    if (served) this.logger.info("stopping");
    this.readiness.stop();
    this.gate.stop();
    const drained = this.transport.drain();
    this.sweeper.stop();
    await Promise.all([this.tasks.stop(), this.webhooks.stop()]);
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
    if (served) this.logger.info("stopped");
  }
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
