/** The server of `@grpc/grpc-js`, as somebody else's reading of the protocol. */
import type { BytesValue } from "@bufbuild/protobuf/wkt";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type StatusObject,
} from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import { StatusSchema } from "../../../../gen/google/rpc/status_pb.js";
import type { Answers, Case, Served } from "../case.js";
import type { Run } from "../run.js";
import { ABSENT, decode, encode, pathOf } from "../service.js";
import { echo, pull } from "./own.js";
import type { TriedServer } from "./server.js";

type AnyCall =
  | ServerUnaryCall<BytesValue, BytesValue>
  | ServerWritableStream<BytesValue, BytesValue>
  | ServerReadableStream<BytesValue, BytesValue>
  | ServerDuplexStream<BytesValue, BytesValue>;
type WritingCall = ServerWritableStream<BytesValue, BytesValue> | ServerDuplexStream<BytesValue, BytesValue>;

export async function startGrpcJsServer(maxRequestBytes: number): Promise<TriedServer> {
  const server = new Server({ "grpc.max_receive_message_length": maxRequestBytes });
  const tried = new GrpcJsServer(server);
  await tried.listen();
  return tried;
}

class GrpcJsServer implements TriedServer {
  readonly name = "grpc-js";
  port = 0;
  private current: { readonly testCase: Case; readonly run: Run } | undefined;

  constructor(private readonly server: Server) {
    const unary: handleUnaryCall<BytesValue, BytesValue> = (call, callback) => {
      void this.answerOne(call, callback);
    };
    const clientStream: handleClientStreamingCall<BytesValue, BytesValue> = (call, callback) => {
      void this.answerOne(call, callback);
    };
    const serverStream: handleServerStreamingCall<BytesValue, BytesValue> = (call) => void this.answerMany(call);
    const bidi: handleBidiStreamingCall<BytesValue, BytesValue> = (call) => void this.answerMany(call);
    server.addService(definition(), {
      Unary: unary,
      ClientStream: clientStream,
      ServerStream: serverStream,
      Bidi: bidi,
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        this.port = port;
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  begin(testCase: Case, run: Run): void {
    this.current = { testCase, run };
  }

  settle(): Promise<Record<string, never>> {
    return Promise.resolve({});
  }

  stop(): void {
    throw new Error("this server has no gate");
  }

  drain(): void {
    this.server.tryShutdown(() => undefined);
  }

  close(): Promise<void> {
    this.server.forceShutdown();
    return Promise.resolve();
  }

  private async answerOne(
    call: ServerUnaryCall<BytesValue, BytesValue> | ServerReadableStream<BytesValue, BytesValue>,
    callback: (error: Partial<StatusObject> | null, value: BytesValue | null, trailer?: Metadata) => void,
  ): Promise<void> {
    const { served, headers, trailers } = this.serve(call);
    try {
      const answer = await this.handle(served);
      if (Symbol.asyncIterator in answer) throw new Error("one message is one message");
      if (!headers.isEmpty()) call.sendMetadata(headers.metadata);
      callback(null, answer, trailers.metadata);
    } catch (thrown) {
      if (!headers.isEmpty()) call.sendMetadata(headers.metadata);
      callback(statusOf(thrown, trailers.metadata), null);
    }
  }

  private async answerMany(call: WritingCall): Promise<void> {
    const { served, headers, trailers } = this.serve(call);
    try {
      const answers = await this.handle(served);
      if (!(Symbol.asyncIterator in answers)) throw new Error("several messages are iterable");
      let first = true;
      for await (const answer of answers) {
        if (first) call.sendMetadata(headers.metadata);
        first = false;
        if (!call.write(answer)) await new Promise<void>((resolve) => call.once("drain", resolve));
      }
      if (first && !headers.isEmpty()) call.sendMetadata(headers.metadata);
      call.end(trailers.metadata);
    } catch (thrown) {
      if (!headers.isEmpty()) call.sendMetadata(headers.metadata);
      call.emit("error", statusOf(thrown, trailers.metadata));
    }
  }

  private handle(served: Served): Answers {
    if (this.current === undefined) throw new Error("nobody calls now");
    const { testCase } = this.current;
    return testCase.handle === undefined ? echo(testCase, served) : testCase.handle(served);
  }

  private serve(call: AnyCall): { served: Served; headers: Sent; trailers: Sent } {
    if (this.current === undefined) throw new Error("nobody calls now");
    const { run } = this.current;
    const headers = new Sent();
    const trailers = new Sent();
    const controller = new AbortController();
    const emitter: EventEmitter = call;
    emitter.on("cancelled", () => controller.abort());
    const messages = "request" in call ? once(call.request) : call.iterator({ destroyOnReturn: false });
    const served: Served = {
      run,
      messages,
      pushMessages: (sink) => void pull(sink, messages),
      get message() {
        if (!("request" in call)) throw new Error("the request is a stream");
        return call.request;
      },
      header: (name) => {
        const values = call.metadata.get(name);
        return values.length === 0 ? null : values.map(headerText).join(", ");
      },
      setHeader: (name, value) => headers.set(name, value),
      addHeader: (name, value) => headers.add(name, value),
      setTrailer: (name, value) => trailers.set(name, value),
      addTrailer: (name, value) => trailers.add(name, value),
      signal: () => controller.signal,
      timeoutMs: () => {
        const deadline = call.getDeadline();
        return deadline === Infinity ? undefined : Number(deadline) - Date.now();
      },
      about: () => call.getPath(),
    };
    return { served, headers, trailers };
  }
}

/** Metadata that takes binary values as they stand in a header. */
class Sent {
  readonly metadata = new Metadata();
  private empty = true;

  isEmpty(): boolean {
    return this.empty;
  }

  set(name: string, value: string): void {
    this.empty = false;
    this.metadata.set(name, metadataValue(name, value));
  }

  add(name: string, value: string): void {
    this.empty = false;
    this.metadata.add(name, metadataValue(name, value));
  }
}

function metadataValue(name: string, value: string): string | Buffer {
  return name.endsWith("-bin") ? Buffer.from(value, "base64") : value;
}

function headerText(value: string | Buffer): string {
  return typeof value === "string" ? value : value.toString("base64").replace(/=+$/, "");
}

async function* once(request: BytesValue): AsyncGenerator<BytesValue> {
  yield await Promise.resolve(request);
}

function statusOf(thrown: unknown, trailers: Metadata): Partial<StatusObject> {
  if (!(thrown instanceof ConnectError)) return { code: status.UNKNOWN, details: String(thrown), metadata: trailers };
  const { code, rawMessage, details } = thrown;
  for (const [name, value] of thrown.metadata) trailers.add(name, metadataValue(name, value));
  if (details.length > 0) {
    const packed = details.map((detail) =>
      "desc" in detail
        ? anyPack(detail.desc, create(detail.desc, detail.value))
        : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
    );
    const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message: rawMessage, details: packed }));
    trailers.set("grpc-status-details-bin", Buffer.from(bytes));
  }
  return { code: code as number, details: rawMessage, metadata: trailers };
}

function definition(): ServiceDefinition {
  const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
    path: pathOf(name),
    requestStream,
    responseStream,
    requestSerialize: encode,
    requestDeserialize: decode,
    responseSerialize: encode,
    responseDeserialize: decode,
  });
  return {
    Unary: method("Unary", false, false),
    ServerStream: method("ServerStream", false, true),
    ClientStream: method("ClientStream", true, false),
    Bidi: method("Bidi", true, true),
    [ABSENT]: method(ABSENT, false, false),
  };
}
