/** The transport alone, with a service that does what a test says, and one way to call it over each protocol. */
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { ConnectError, createClient, type ServiceImpl, type Transport as ClientTransport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { ServiceError } from "@grpc/grpc-js";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { loadConfig, type Config } from "../../src/config/index.js";
import { CallLog, codeName, createAuthenticator, Gate, OpenCallLimit } from "../../src/interceptors/index.js";
import { serverRoutes } from "../../src/transport/http/routes.js";
import { RouteTable } from "../../src/transport/routes.js";
import { Readiness } from "../../src/transport/standard/readiness.js";
import { Transport } from "../../src/transport/transport.js";
import { dynamicClient } from "../helpers/grpc-js.js";

export interface TestTransport {
  readonly port: number;
  readonly url: string;
  readonly gate: Gate;
  readonly readiness: Readiness;
  readonly openCalls: OpenCallLimit;
  readonly logs: readonly Readonly<Record<string, unknown>>[];
  readonly transport: Transport;
}

export interface Handlers {
  readonly agents?: Partial<ServiceImpl<typeof AgentService>>;
  readonly states?: Partial<ServiceImpl<typeof StateService>>;
}

/** Starts a transport that is closed with the test. */
export async function startTransport(handlers: Handlers, settings: Partial<Config> = {}): Promise<TestTransport> {
  const config = { ...loadConfig(), ...settings };
  const logs: Record<string, unknown>[] = [];
  const logger = pino(
    { level: config.logLevel, base: null },
    { write: (line) => logs.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const routes = new RouteTable()
    .service(AgentService, handlers.agents ?? {})
    .service(StateService, handlers.states ?? {});
  const openCalls = new OpenCallLimit(config.maxStreams);
  const gate = new Gate({ authenticate: createAuthenticator(config.apiKey), openCalls, log: new CallLog(logger) });
  const readiness = new Readiness(() => true);
  const metrics = { read: () => Promise.resolve({ contentType: "text/plain", text: "" }) };
  const httpRoutes = serverRoutes(readiness, metrics);
  const transport = new Transport({ config, routes, httpRoutes, gate, logger });
  const { port, url } = await transport.listen("127.0.0.1", 0);
  onTestFinished(() => transport.destroy());
  return { port, url, gate, readiness, openCalls, logs, transport };
}

/** A failure as a caller got it, whatever the protocol. */
export interface Failure {
  /** `NOT_FOUND` */
  readonly code: string;
  readonly message: string;
  details<T extends DescMessage>(desc: T): readonly MessageShape<T>[];
}

/** Calls GetAgent, which is expected to fail. */
export type FailingCall = (port: number, agentId: string) => Promise<Failure>;

export const PROTOCOLS: Readonly<Record<string, FailingCall>> = {
  "gRPC by grpc-js": async (port, agentId) => {
    const error = await rejection(
      dynamicClient(port, "opscore.v1.AgentService").unary("GetAgent", { agent_id: agentId }),
    );
    const { code, details, metadata } = error as ServiceError;
    return failureOf(codeName(code as number), details, statusDetails(metadata.get("grpc-status-details-bin")[0]));
  },
  "gRPC by Connect": (port, agentId) =>
    viaConnect(createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }), agentId),
  "gRPC, JSON": (port, agentId) =>
    viaConnect(createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}`, useBinaryFormat: false }), agentId),
  "gRPC-Web over HTTP/1.1": (port, agentId) =>
    viaConnect(createGrpcWebTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" }), agentId),
  "gRPC-Web over HTTP/2": (port, agentId) =>
    viaConnect(createGrpcWebTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "2" }), agentId),
  "Connect over HTTP/2": (port, agentId) =>
    viaConnect(createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "2" }), agentId),
  "Connect over HTTP/1.1, by GET": (port, agentId) =>
    viaConnect(
      createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1", useHttpGet: true }),
      agentId,
    ),
  "JSON by fetch": async (port, agentId) => {
    const response = await postJson(`http://127.0.0.1:${port}`, "opscore.v1.AgentService/GetAgent", { agentId });
    return failureFromJson(await response.json());
  },
};

export function postJson(
  url: string,
  rpc: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/${rpc}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

interface JsonFailure {
  readonly code: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

export function failureFromJson(body: unknown): Failure {
  const { code, message = "", details = [] } = body as JsonFailure;
  return failureOf(
    code.toUpperCase().replace("CANCELED", "CANCELLED"),
    message,
    details.map(({ type, value }) => ({ type, value: Buffer.from(value, "base64") })),
  );
}

/** @throws when the promise is fulfilled */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === "rejected") return result.reason;
  throw new Error("the call did not fail");
}

export function failureFromConnect(error: unknown): Failure {
  const { code, rawMessage, details } = ConnectError.from(error);
  return failureOf(
    codeName(code),
    rawMessage,
    details.map((detail) => ("type" in detail ? detail : { type: "", value: new Uint8Array() })),
  );
}

async function viaConnect(transport: ClientTransport, agentId: string): Promise<Failure> {
  return failureFromConnect(await rejection(createClient(AgentService, transport).getAgent({ agentId })));
}

interface RawDetail {
  readonly type: string;
  readonly value: Uint8Array;
}

function failureOf(code: string, message: string, raw: readonly RawDetail[]): Failure {
  return {
    code,
    message,
    details: (desc) => raw.filter(({ type }) => type === desc.typeName).map(({ value }) => fromBinary(desc, value)),
  };
}

function statusDetails(encoded: Buffer | string | undefined): RawDetail[] {
  if (!Buffer.isBuffer(encoded)) return [];
  return fromBinary(StatusSchema, encoded).details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
}
