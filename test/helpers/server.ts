/** Real servers for tests: on a free port, silent, closed with the test. */
import { onTestFinished } from "vitest";
import { pino } from "pino";
import { build, loadConfig, type Config, type OpsCoreServer, type ServerDependencies } from "../../src/server.js";

export interface TestServer {
  readonly server: OpsCoreServer;
  readonly url: string;
  readonly port: number;
  /** What was logged so far, parsed. */
  readonly logs: readonly LogLine[];
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: number };

/**
 * Starts a server; it is closed when the test, or the hook's suite, is over.
 *
 * @param settings what differs from the defaults
 */
export async function startServer(
  settings: Partial<Config> = {},
  dependencies: ServerDependencies = {},
): Promise<TestServer> {
  const running = await startServerUnowned(settings, dependencies);
  onTestFinished(() => running.server.close());
  return running;
}

/** The same, for suites that share a server: the caller closes it. */
export async function startServerUnowned(
  settings: Partial<Config> = {},
  dependencies: ServerDependencies = {},
): Promise<TestServer> {
  const logs: LogLine[] = [];
  const level = settings.logLevel ?? "debug";
  const logger = pino({ level, base: null }, { write: (line) => logs.push(JSON.parse(line) as LogLine) });
  const config = { ...loadConfig(), port: 0, drainTimeoutMs: 1000, ...settings };
  const server = await build(config, { logger, ...dependencies });
  const { url, port } = await server.listen().catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  return { server, url, port, logs };
}
