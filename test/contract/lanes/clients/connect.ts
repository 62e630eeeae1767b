/** The gRPC client of `@connectrpc/connect-node`. */
import type { DescMessage, DescMethod, DescMethodStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { BytesValue } from "@bufbuild/protobuf/wkt";
import { ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { usualCall, type Calling, type Case } from "../case.js";
import { addMetadata, detailsOf, isRaw, LIBRARY_OWN, shown, statusName, type ClientFields } from "../observation.js";
import type { Run } from "../run.js";
import { message, methodOf, textOf, type Content } from "../service.js";
import { AnswerQueue, headerPairs, type Client } from "./client.js";

export const callConnect: Client = async (port, testCase, run) => {
  if (isRaw(testCase)) throw new Error("this client makes proper calls only");
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  try {
    const call = new ConnectCall(
      createGrpcTransport({ baseUrl, sessionManager, acceptCompression: [] }),
      testCase,
      run,
    );
    if (testCase.call === undefined) await usualCall(testCase.kind, call);
    else await testCase.call(call);
    return await call.fields();
  } finally {
    sessionManager.abort();
  }
};

class ConnectCall implements Calling {
  private readonly answers = new AnswerQueue();
  private readonly requests = new Requests();
  private readonly seen: ClientFields = {};
  private readonly controller = new AbortController();
  private over: Promise<void> | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly testCase: Case,
    readonly run: Run,
  ) {
    if (testCase.kind !== "Unary") this.over = this.watch(this.stream());
  }

  send(content: Content): Promise<void> {
    const request = message(content);
    if (this.testCase.kind === "Unary") {
      this.over = this.watch(this.unary(request));
      return Promise.resolve();
    }
    return this.requests.push(request);
  }

  end(): void {
    this.requests.end();
  }

  next(): Promise<string | undefined> {
    return this.answers.next();
  }

  cancel(): void {
    this.controller.abort();
  }

  async fields(): Promise<ClientFields> {
    if (this.testCase.kind === "ServerStream") this.requests.end();
    await this.over;
    return { ...this.seen, messages: this.answers.all.map(shown) };
  }

  private async unary(request: BytesValue): Promise<void> {
    const method = methodOf("Unary");
    if (!isUnary(method)) throw new Error("the method is not unary");
    const headers = new Headers(headerPairs(this.testCase));
    const response = await this.transport.unary(method, this.controller.signal, undefined, headers, request);
    this.headersCame(response.header);
    this.answers.push(textOf(response.message as BytesValue));
    this.trailersCame(response.trailer);
  }

  private async stream(): Promise<void> {
    const method = methodOf(this.testCase.kind);
    if (!isStreaming(method)) throw new Error("the method is unary");
    const headers = new Headers(headerPairs(this.testCase));
    const response = await this.transport.stream(method, this.controller.signal, undefined, headers, this.requests);
    this.headersCame(response.header);
    for await (const answer of response.message) this.answers.push(textOf(answer as BytesValue));
    this.trailersCame(response.trailer);
  }

  private headersCame(headers: Headers): void {
    addMetadata(this.seen, "header", headers, LIBRARY_OWN);
  }

  private trailersCame(trailers: Headers): void {
    this.seen["status"] = "OK";
    addMetadata(this.seen, "trailer", trailers, LIBRARY_OWN);
  }

  private async watch(call: Promise<void>): Promise<void> {
    try {
      await call;
    } catch (thrown) {
      const { code, rawMessage, metadata } = ConnectError.from(thrown);
      this.seen["status"] = statusName(code);
      this.seen["message"] = shown(rawMessage);
      const details = metadata.get("grpc-status-details-bin");
      if (details !== null) this.seen["details"] = detailsOf(Buffer.from(details, "base64"));
      addMetadata(this.seen, "trailer", metadata, LIBRARY_OWN);
    }
    this.answers.end();
    this.requests.end();
  }
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function isStreaming(method: DescMethod): method is DescMethodStreaming {
  return method.methodKind !== "unary";
}

/** Messages that are sent when the transport asks for them. */
class Requests implements AsyncIterable<MessageShape<DescMessage>> {
  private readonly waiting: { readonly request: BytesValue; readonly taken: () => void }[] = [];
  private ended = false;
  private wake: (() => void) | undefined;

  /** Answers when the transport has taken it, or will take none. */
  push(request: BytesValue): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((taken) => {
      this.waiting.push({ request, taken });
      this.wake?.();
    });
  }

  end(): void {
    this.ended = true;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BytesValue> {
    try {
      for (;;) {
        const next = this.waiting.shift();
        if (next !== undefined) {
          next.taken();
          yield next.request;
        } else if (this.ended) return;
        else await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      for (const { taken } of this.waiting.splice(0)) taken();
    }
  }
}
