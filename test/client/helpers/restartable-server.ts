/** A server that can be stopped and started again on its port, as a deployment is. */
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { build, loadConfig, type Config, type OpsCoreServer, type Storage } from "../../../src/server.js";

export class RestartableServer {
  url = "";
  private running: OpsCoreServer | undefined;
  private port = 0;

  private constructor(private readonly settings: Partial<Config>) {}

  /** Starts one on a free port; it is stopped with the test. */
  static async start(settings: Partial<Config> = {}): Promise<RestartableServer> {
    const server = new RestartableServer(settings);
    await server.start();
    onTestFinished(() => server.stop());
    return server;
  }

  get storage(): Storage {
    if (this.running === undefined) throw new Error("the server is stopped");
    return this.running.storage;
  }

  /** Starts on the port of before, with nothing in memory: what a server without a lasting storage is after a restart. */
  async start(): Promise<void> {
    const config = { ...loadConfig(), drainTimeoutMs: 1_000, ...this.settings, port: this.port };
    this.running = await build(config, { logger: pino({ level: "silent" }) });
    const { url, port } = await this.running.listen();
    this.url = url;
    this.port = port;
  }

  async stop(): Promise<void> {
    await this.running?.close();
    this.running = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}
