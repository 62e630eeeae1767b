/** Clients of `@grpc/grpc-js`, made from the proto files alone: what somebody without our code has. */
import {
  Client,
  credentials,
  Metadata,
  type CallOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type MethodDefinition,
} from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A client that knows methods by name, and messages as plain objects with the fields' names of the proto files. */
export class DynamicClient {
  private readonly client: Client;

  /** @param service its full name: `opscore.v1.AgentService` */
  constructor(
    private readonly definition: PackageDefinition,
    private readonly service: string,
    port: number,
  ) {
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
    });
    onTestFinished(() => this.client.close());
  }

  /** @throws ServiceError of grpc-js */
  unary(
    name: string,
    request: object,
    headers: Record<string, string> = {},
    options: CallOptions = {},
  ): Promise<unknown> {
    const { path, requestSerialize, responseDeserialize } = this.method(name);
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadataOf(headers),
        options,
        (error, response) => {
          if (error === null) resolve(response);
          else reject(error);
        },
      );
    });
  }

  serverStream(name: string, request: object, options: CallOptions = {}): ClientReadableStream<unknown> {
    const { path, requestSerialize, responseDeserialize } = this.method(name);
    return this.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, options);
  }

  bidi(name: string, options: CallOptions = {}): ClientDuplexStream<object, unknown> {
    const { path, requestSerialize, responseDeserialize } = this.method(name);
    return this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, options);
  }

  private method(name: string): MethodDefinition<object, object> {
    const service = this.definition[this.service];
    const method: unknown = service === undefined ? undefined : Reflect.get(service, name);
    if (isMethod(method)) return method;
    throw new Error(`${this.service} has no method ${name}`);
  }
}

function isMethod(value: unknown): value is MethodDefinition<object, object> {
  return typeof value === "object" && value !== null && "requestSerialize" in value;
}

/**
 * @param service its full name: `opscore.v1.AgentService`
 * @param proto the file that declares it; by default the one that is named after it
 */
export function dynamicClient(port: number, service: string, proto?: string): DynamicClient {
  const named = service.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
  return new DynamicClient(loadProto(proto ?? `${named.replaceAll(".", "/")}.proto`), service, port);
}

export function loadProto(file: string): PackageDefinition {
  return loadSync(file, {
    includeDirs: [
      `${ROOT}/proto`,
      `${ROOT}/node_modules/grpc-health-check/proto`,
      `${ROOT}/node_modules/@grpc/reflection/build/proto`,
    ],
    ...LOAD_OPTIONS,
  });
}

/** How messages look to these clients. */
export const LOAD_OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };

function metadataOf(headers: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}
