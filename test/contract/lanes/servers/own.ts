/** The transport, with the lane or without. */
import type { Message } from "@bufbuild/protobuf";
import type { BytesValue } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { connect, type ClientHttp2Session } from "node:http2";
import { pino } from "pino";
import { expect } from "vitest";
import { loadConfig, type Config } from "../../../../src/config/index.js";
import { CallLog, createAuthenticator, Gate, OpenCallLimit } from "../../../../src/interceptors/index.js";
import type { JsonValue } from "../../../../src/lib/json.js";
import { isPushIterable, type PushSink } from "../../../../src/lib/push-sink.js";
import { serverRoutes } from "../../../../src/transport/http/routes.js";
import { RouteTable } from "../../../../src/transport/routes.js";
import { Readiness } from "../../../../src/transport/standard/readiness.js";
import { Transport } from "../../../../src/transport/transport.js";
import type { Answers, Case, Served } from "../case.js";
import { shown } from "../observation.js";
import type { Run } from "../run.js";
import { message, pathOf, Probe } from "../service.js";
import type { ServerName, TriedServer } from "./server.js";

interface LogLine {
  readonly rpc: string;
  readonly level: number;
  readonly msg: string;
  readonly code?: string;
  readonly reason?: string;
  readonly received?: number;
  readonly sent?: number;
}

export async function startOwnServer(
  name: Exclude<ServerName, "grpc-js">,
  settings: Partial<Config>,
): Promise<TriedServer> {
  const server = new OwnServer(name, { ...loadConfig(), ...settings, grpcLane: name === "lane" });
  await server.listen();
  return server;
}

class OwnServer implements TriedServer {
  port = 0;
  private readonly transport: Transport;
  private readonly gate: Gate;
  private readonly openCalls: OpenCallLimit;
  private current: { readonly testCase: Case; readonly run: Run } | undefined;
  private lines: LogLine[] = [];
  private onLine: (() => void) | undefined;
  private bystander: ClientHttp2Session | undefined;

  constructor(
    readonly name: Exclude<ServerName, "grpc-js">,
    config: Config,
  ) {
    const logger = pino({ level: "debug", base: null }, { write: (line) => this.logged(JSON.parse(line) as LogLine) });
    this.openCalls = new OpenCallLimit(config.maxStreams);
    this.gate = new Gate({
      authenticate: createAuthenticator(config.apiKey),
      openCalls: this.openCalls,
      log: new CallLog(logger),
    });
    const readiness = new Readiness(() => true);
    const metrics = { read: () => Promise.resolve({ contentType: "text/plain", text: "" }) };
    const httpRoutes = serverRoutes(readiness, metrics);
    this.transport = new Transport({ config, routes: this.routes(), httpRoutes, gate: this.gate, logger });
  }

  async listen(): Promise<void> {
    const { port, url } = await this.transport.listen("127.0.0.1", 0);
    this.port = port;
    this.bystander = connect(url).on("error", () => undefined);
  }

  begin(testCase: Case, run: Run): void {
    this.current = { testCase, run };
    this.lines = [];
  }

  async settle(): Promise<Record<string, JsonValue>> {
    const { lines: expected = 1 } = this.current?.testCase ?? {};
    const count = typeof expected === "number" ? expected : expected[this.name];
    while (this.lines.length < count) await new Promise<void>((resolve) => (this.onLine = resolve));
    await this.passBy();
    expect(this.openCalls.count, "calls that are still open").toBe(0);
    return { log: this.lines.map((line) => lineText(line, this.current?.testCase.countsMessages ?? true)) };
  }

  stop(): void {
    this.gate.stop();
  }

  drain(): void {
    void this.transport.drain();
  }

  close(): Promise<void> {
    this.bystander?.destroy();
    this.transport.destroy();
    return Promise.resolve();
  }

  private logged(line: LogLine): void {
    this.lines.push(line);
    this.onLine?.();
  }

  /** Asks for something that is served by neither lane: whatever was under way when it was asked has come to its end then. */
  private async passBy(): Promise<void> {
    const { bystander } = this;
    if (bystander === undefined || bystander.closed) return;
    for (let times = 0; times < 2; times++) {
      await new Promise<void>((resolve) => {
        const stream = bystander.request({ ":path": "/healthz" });
        stream.on("error", () => undefined).once("close", () => resolve());
        stream.resume();
      });
    }
  }

  private routes(): RouteTable {
    const answer = (context: HandlerContext, messages: Iterable<BytesValue> | AsyncIterable<Message>): Answers => {
      if (this.current === undefined) throw new Error("nobody calls now");
      const { testCase, run } = this.current;
      const call = serve(run, context, messages);
      if (testCase.handle !== undefined) return testCase.handle(call);
      return echo(testCase, call);
    };
    const single = (request: BytesValue, context: HandlerContext) => answer(context, [request]);
    const several = (requests: AsyncIterable<Message>, context: HandlerContext) => answer(context, requests);
    // The descriptor is made at run time, so its methods have no types of their own.
    return new RouteTable().service(Probe, {
      unary: single,
      serverStream: single,
      clientStream: several,
      bidi: several,
    } as object);
  }
}

function serve(run: Run, context: HandlerContext, messages: Iterable<BytesValue> | AsyncIterable<Message>): Served {
  const [first] = Symbol.iterator in messages ? messages : [];
  return {
    run,
    messages: iterate(messages),
    pushMessages: (sink) => pushInto(sink, messages),
    get message() {
      if (first === undefined) throw new Error("the request is a stream");
      return first;
    },
    header: (name) => context.requestHeader.get(name),
    setHeader: (name, value) => context.responseHeader.set(name, value),
    addHeader: (name, value) => context.responseHeader.append(name, value),
    setTrailer: (name, value) => context.responseTrailer.set(name, value),
    addTrailer: (name, value) => context.responseTrailer.append(name, value),
    signal: () => context.signal,
    timeoutMs: () => context.timeoutMs(),
    about: () => {
      const { url, service, method, requestMethod, protocolName } = context;
      return [requestMethod, url, service.typeName, method.name, protocolName].join(" ");
    },
  };
}

/** As a service does it. */
function pushInto(sink: PushSink<BytesValue>, messages: Iterable<BytesValue> | AsyncIterable<Message>): void {
  if (Symbol.asyncIterator in messages && isPushIterable(messages)) messages.pushTo(sink);
  else void pull(sink, iterate(messages));
}

/** Fills a sink from what does not push. */
export async function pull(sink: PushSink<BytesValue>, messages: AsyncIterable<BytesValue>): Promise<void> {
  let goOn: (() => void) | undefined;
  sink.onRoom(() => goOn?.());
  try {
    for await (const each of messages) {
      if (!sink.receive(each) && !sink.isEnded) await new Promise<void>((resolve) => (goOn = resolve));
      if (sink.isEnded) break;
    }
    sink.end();
  } catch (thrown) {
    sink.end(thrown);
  }
}

async function* iterate(messages: Iterable<BytesValue> | AsyncIterable<Message>): AsyncGenerator<BytesValue> {
  for await (const each of messages) yield each as BytesValue;
}

/** What a handler does when the case does not say. */
export function echo({ kind }: Case, call: Served): Answers {
  switch (kind) {
    case "Unary":
      return message(call.message.value);
    case "ClientStream":
      return joined(call.messages);
    case "ServerStream":
    case "Bidi":
      return call.messages;
  }
}

async function joined(messages: AsyncIterable<BytesValue>): Promise<BytesValue> {
  const parts: Uint8Array[] = [];
  for await (const { value } of messages) parts.push(value);
  return message(Buffer.concat(parts));
}

/** One line, without what differs from run to run. */
function lineText({ rpc, code, received, sent, reason, msg, level }: LogLine, countsMessages: boolean): string {
  const counts = received === undefined || !countsMessages ? "" : ` received ${received} sent ${sent ?? 0}`;
  const method = rpc.replace(pathOf("").slice(1), "");
  return shown(`${method} ${code ?? "defect"}${counts} ${reason ?? ""} level ${level}: ${msg}`);
}
