import { pino } from "pino";
import { createOpsCoreClient, type OpsCoreClient, type OpsCoreClientOptions } from "../client/index.js";
import { build, loadConfig, type Config, type ServerDependencies } from "../server.js";

export interface TestServerOptions {
  /** Settings of the server that differ from its defaults. It listens on a free port and keeps everything in memory. */
  readonly settings?: Partial<Config> | undefined;
  /** Parts of the server that the test brings: a storage, a clock, a logger. Default: a logger that is silent. */
  readonly dependencies?: ServerDependencies | undefined;
  /** Options of the client. It has the server's key, if the settings name one. */
  readonly client?: Omit<OpsCoreClientOptions, "baseUrl"> | undefined;
}

/** A server for one test, and a client of it. */
export interface TestServer extends AsyncDisposable {
  /** Where the server listens; for clients in other processes or languages. */
  readonly baseUrl: string;
  readonly client: OpsCoreClient;
  /** Closes the client and stops the server. May be called again. */
  close(): Promise<void>;
}

/** What is still open when a test is over is cut off after so long, in milliseconds. */
const DRAIN_TIMEOUT_MS = 500;

/**
 * Starts a server in this process.
 *
 * @example
 * await using server = await startTestServer();
 * const agent = await Agent.start({ client: server.client, agentId: "writer-1" });
 *
 * @throws ConfigError when the settings do not go together
 * @throws RangeError, TypeError for options of the client out of bounds
 */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const config = { ...loadConfig(), port: 0, drainTimeoutMs: DRAIN_TIMEOUT_MS, ...options.settings };
  const server = await build(config, { logger: pino({ level: "silent" }), ...options.dependencies });
  try {
    const { url } = await server.listen();
    const client = createOpsCoreClient({ apiKey: config.apiKey, ...options.client, baseUrl: url });
    async function close(): Promise<void> {
      client.close();
      await server.close();
    }
    return { baseUrl: url, client, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    // Nobody else could: it would keep the test's process alive.
    await server.close();
    throw error;
  }
}
