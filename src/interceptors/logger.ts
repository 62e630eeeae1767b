import { isatty } from "node:tty";
import { destination, pino, type Logger } from "pino";
import type { Config } from "../config/index.js";

const STDERR = 2;

/**
 * The logger that the configuration asks for. It writes to standard error, which leaves standard output to what a command is
 * asked to print.
 */
export async function createLogger({ logLevel, logFormat }: Pick<Config, "logLevel" | "logFormat">): Promise<Logger> {
  const options = { level: logLevel, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  const pretty = logFormat === "pretty" || (logFormat === "auto" && isatty(STDERR));
  if (!pretty || logLevel === "silent") return pino(options, destination({ dest: STDERR, sync: false }));
  // Loaded only when somebody looks: it takes longer to load than the server.
  const { default: prettyStream } = await import("pino-pretty");
  return pino(
    options,
    prettyStream({ destination: STDERR, sync: false, translateTime: "SYS:HH:MM:ss.l", singleLine: true }),
  );
}
