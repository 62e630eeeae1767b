/**
 * What all commands have in common that talk to a server.
 */
import type { Command } from "commander";
import { createOpsCoreClient, type OpsCoreClient, type Protocol } from "../client/index.js";
import { callFailure, type HintsByReason } from "./call-failure.js";
import { implement, type CommandHelp, type Host } from "./command.js";
import type { Context } from "./context.js";
import type { Exit } from "./exit-codes.js";
import { defaulted, optional, toggle, type Flags, type Positionals, type Values } from "./flags.js";
import { choice, duration, matching, serverUrl } from "./readers.js";
import { DEFAULT_URL, type Target } from "./target.js";

const DAY_MS = 86_400_000;

const protocol = choice<Protocol>({ grpc: "grpc", connect: "connect", "grpc-web": "grpc-web" });
const namespaceId = matching(/^[A-Za-z0-9._:-]{1,128}$/, "1 to 128 characters of [A-Za-z0-9._:-]");
const apiKey = {
  ...matching(/^[\x21-\x7e]{1,512}$/, "1 to 512 visible ASCII characters without spaces"),
  secret: true,
};

/** How to reach the server, and how to print its answer. */
const CONNECTION_FLAGS = {
  url: defaulted("--url <url>", "where the server is", serverUrl, DEFAULT_URL, { env: "OPSCORE_URL" }),
  apiKey: optional("--api-key <key>", "the key that the server wants", apiKey, { env: "OPSCORE_API_KEY" }),
  namespace: defaulted("--namespace <name>", "the namespace to work in", namespaceId, "default", {
    env: "OPSCORE_NAMESPACE",
  }),
  transport: defaulted(
    "--transport <protocol>",
    "how to speak: grpc over HTTP/2; for proxies connect or grpc-web over HTTP/1.1",
    protocol,
    "grpc",
  ),
  json: toggle("--json", "print the API's answer as JSON"),
};

/** How long to wait for an answer. */
const TIMEOUT_FLAG = {
  timeout: defaulted(
    "--timeout <duration>",
    "how long one call may take; 0: as long as it likes",
    duration(0, DAY_MS),
    "10s",
  ),
};

type ConnectionFlags = typeof CONNECTION_FLAGS;

for (const { option } of Object.values({ ...CONNECTION_FLAGS, ...TIMEOUT_FLAG })) option.helpGroup("Connection:");
CONNECTION_FLAGS.json.option.helpGroup("Options:");

/** What a command is given that talks to a server. */
export interface ClientContext extends Context {
  readonly client: OpsCoreClient;
  readonly target: Target;
  /** Whether the API's answer is wanted, as JSON. */
  readonly json: boolean;
}

interface ClientSpec<P extends Positionals, F extends Flags> extends CommandHelp {
  readonly positionals: P;
  readonly flags: F;
  /** What its user can do when the call fails, for reasons that mean something of their own here. */
  readonly hints?: HintsByReason;
  run(values: Values<P> & Values<F>, context: ClientContext): Promise<Exit | undefined>;
}

/** Makes `command` a call: one question, one answer, with a deadline. */
export function implementCall<P extends Positionals, F extends Flags>(
  command: Command,
  host: Host,
  spec: ClientSpec<P, F>,
): void {
  implement(command, host, {
    ...spec,
    common: { ...CONNECTION_FLAGS, ...TIMEOUT_FLAG },
    run: (values, common, context) =>
      withClient(common, { timeoutMs: common.timeout, hints: spec.hints }, context, (client) =>
        spec.run(values, client),
      ),
  });
}

/** Makes `command` a watch or a wait, which lasts as long as it lasts. */
export function implementLasting<P extends Positionals, F extends Flags>(
  command: Command,
  host: Host,
  spec: ClientSpec<P, F>,
): void {
  implement(command, host, {
    ...spec,
    common: CONNECTION_FLAGS,
    run: (values, common, context) =>
      withClient(common, { timeoutMs: undefined, hints: spec.hints }, context, (client) => spec.run(values, client)),
  });
}

async function withClient(
  { url, apiKey, namespace, transport, json }: Values<ConnectionFlags>,
  { timeoutMs, hints }: { readonly timeoutMs: number | undefined; readonly hints: HintsByReason | undefined },
  context: Context,
  use: (context: ClientContext) => Promise<Exit | undefined>,
): Promise<Exit | undefined> {
  const client = createOpsCoreClient({
    ...{ baseUrl: url, apiKey, namespace, transport, defaultTimeoutMs: timeoutMs },
    // Whoever wants another protocol than gRPC wants it for what stands in between, and that speaks HTTP/1.1.
    httpVersion: transport === "grpc" ? "2" : "1.1",
  });
  try {
    return await use({ ...context, client, target: { url, namespace }, json });
  } catch (error) {
    throw callFailure(error, { url, namespace }, hints);
  } finally {
    client.close();
  }
}
