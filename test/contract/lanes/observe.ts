/** Runs a case and gathers what both of its sides saw. */
import type { Config } from "../../../src/config/index.js";
import type { JsonValue } from "../../../src/lib/json.js";
import { callConnect } from "./clients/connect.js";
import { callGrpcJs } from "./clients/grpc-js.js";
import type { Client } from "./clients/client.js";
import { callRaw } from "./clients/raw.js";
import type { Case } from "./case.js";
import { isRaw, shown, type Observation } from "./observation.js";
import { Run } from "./run.js";
import { startGrpcJsServer } from "./servers/grpc-js.js";
import { startOwnServer } from "./servers/own.js";
import type { ServerName, TriedServer } from "./servers/server.js";

export type ClientName = "raw" | "connect-node" | "grpc-js";

const CLIENTS: Readonly<Record<ClientName, Client>> = {
  raw: callRaw,
  "connect-node": callConnect,
  "grpc-js": callGrpcJs,
};

const USUAL_BYTES = 4 * 1024 * 1024;

/** The clients that can make the call of a case. */
export function clientsOf(testCase: Case): readonly ClientName[] {
  if (isRaw(testCase)) return ["raw"];
  // Connect's clients call methods, not paths.
  return testCase.path === undefined ? ["raw", "connect-node", "grpc-js"] : ["raw", "grpc-js"];
}

/** The servers, started when they are first needed. Cases with the same settings share one. */
export class Servers {
  private readonly shared = new Map<string, Promise<TriedServer>>();

  async observe(name: ServerName, client: ClientName, testCase: Case): Promise<Observation> {
    const { control, settings = {} } = testCase;
    const server = await (control === undefined ? this.share(name, settings) : start(name, settings));
    try {
      const run = new Run();
      server.begin(testCase, run);
      const controlled = control?.(server, run);
      const fields = await CLIENTS[client](server.port, testCase, run);
      await controlled;
      const seen: Record<string, JsonValue> = { ...fields, ...(await server.settle()), notes: run.notes.map(shown) };
      if (testCase.reaches !== undefined) seen[`reaches ${testCase.reaches}`] = run.hasReached(testCase.reaches);
      return seen;
    } finally {
      if (control !== undefined) await server.close();
    }
  }

  async close(): Promise<void> {
    for (const server of this.shared.values()) await (await server).close();
  }

  private share(name: ServerName, settings: Partial<Config>): Promise<TriedServer> {
    const key = JSON.stringify([name, settings]);
    let server = this.shared.get(key);
    if (server === undefined) this.shared.set(key, (server = start(name, settings)));
    return server;
  }
}

function start(name: ServerName, settings: Partial<Config>): Promise<TriedServer> {
  if (name === "grpc-js") return startGrpcJsServer(settings.maxRequestBytes ?? USUAL_BYTES);
  return startOwnServer(name, settings);
}
