/** The client of `@grpc/grpc-js`. */
import type { BytesValue } from "@bufbuild/protobuf/wkt";
import {
  Client as GrpcClient,
  credentials,
  Metadata,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import { usualCall, type Calling, type Case } from "../case.js";
import { addMetadata, detailsOf, isRaw, LIBRARY_OWN, shown, statusName, type ClientFields } from "../observation.js";
import type { Run } from "../run.js";
import { decode, encode, message, pathOf, textOf, type Content } from "../service.js";
import { AnswerQueue, headerPairs, type Client } from "./client.js";

const MAX_BYTES = 64 * 1024 * 1024;

export const callGrpcJs: Client = async (port, testCase, run) => {
  if (isRaw(testCase)) throw new Error("this client makes proper calls only");
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": MAX_BYTES,
    "grpc.max_send_message_length": MAX_BYTES,
  });
  try {
    const call = new GrpcJsCall(client, testCase, run);
    if (testCase.call === undefined) await usualCall(testCase.kind, call);
    else await testCase.call(call);
    return await call.fields();
  } finally {
    client.close();
  }
};

type AnyCall = ClientUnaryCall | ClientReadableStream<BytesValue> | ClientWritableStream<BytesValue>;

class GrpcJsCall implements Calling {
  private readonly answers = new AnswerQueue();
  private readonly seen: ClientFields = {};
  private readonly metadata = new Metadata();
  private readonly path: string;
  private call: AnyCall | undefined;
  private writable: ClientWritableStream<BytesValue> | ClientDuplexStream<BytesValue, BytesValue> | undefined;
  private onStatus!: () => void;
  private readonly over = new Promise<void>((resolve) => (this.onStatus = resolve));

  constructor(
    private readonly client: GrpcClient,
    private readonly testCase: Case,
    readonly run: Run,
  ) {
    this.path = testCase.path ?? pathOf(testCase.kind);
    for (const [name, value] of headerPairs(testCase)) {
      this.metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
    }
    const { path, metadata } = this;
    if (testCase.kind === "ClientStream") {
      this.writable = client.makeClientStreamRequest(path, encode, decode, metadata, this.onAnswer);
      this.begin(this.writable);
    } else if (testCase.kind === "Bidi") {
      const duplex = client.makeBidiStreamRequest(path, encode, decode, metadata);
      this.writable = duplex;
      this.begin(duplex);
      this.read(duplex);
    }
  }

  send(content: Content): Promise<void> {
    const { path, metadata, client, writable } = this;
    const request = message(content);
    if (writable !== undefined) return new Promise((resolve) => writable.write(request, () => resolve()));
    if (this.testCase.kind === "Unary") {
      this.begin(client.makeUnaryRequest(path, encode, decode, request, metadata, this.onAnswer));
    } else {
      const stream = client.makeServerStreamRequest(path, encode, decode, request, metadata);
      this.begin(stream);
      this.read(stream);
    }
    return Promise.resolve();
  }

  end(): void {
    this.writable?.end();
  }

  next(): Promise<string | undefined> {
    return this.answers.next();
  }

  cancel(): void {
    this.call?.cancel();
  }

  async fields(): Promise<ClientFields> {
    await this.over;
    return { ...this.seen, messages: this.answers.all.map(shown) };
  }

  private begin(call: AnyCall): void {
    this.call = call;
    call.on("metadata", (metadata: Metadata) => addMetadata(this.seen, "header", pairsOf(metadata), LIBRARY_OWN));
    call.on("status", ({ code, details, metadata }: StatusObject) => {
      this.seen["status"] = statusName(code);
      this.seen["message"] = shown(details);
      const [packed] = metadata.get("grpc-status-details-bin");
      if (Buffer.isBuffer(packed)) this.seen["details"] = detailsOf(packed);
      addMetadata(this.seen, "trailer", pairsOf(metadata), LIBRARY_OWN);
      this.answers.end();
      this.onStatus();
    });
    // The status has it all.
    const emitter: EventEmitter = call;
    emitter.on("error", () => undefined);
  }

  private read(stream: ClientReadableStream<BytesValue> | ClientDuplexStream<BytesValue, BytesValue>): void {
    stream.on("data", (answer: BytesValue) => this.answers.push(textOf(answer)));
  }

  private readonly onAnswer = (_: ServiceError | null, answer?: BytesValue): void => {
    if (answer !== undefined) this.answers.push(textOf(answer));
  };
}

function* pairsOf(metadata: Metadata): Generator<readonly [string, string]> {
  for (const name of Object.keys(metadata.getMap())) {
    const values = metadata.get(name);
    yield [name, values.map((v) => (typeof v === "string" ? v : v.toString("base64").replace(/=+$/, ""))).join(", ")];
  }
}
