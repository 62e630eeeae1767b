/** The request of a unary or server-streaming call: one message, and nothing else. */
import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Call } from "./call.js";
import { EnvelopeReader, incomplete, unwrapWhole } from "./envelope.js";

/** Reads the one message of a call. */
export class SingleRequest {
  private body: Buffer | undefined;
  /** Made for a message that does not come as one chunk. */
  private reader: EnvelopeReader | undefined;

  /** @param onMessage called when the client has sent its message and nothing else */
  constructor(
    private readonly call: Call,
    private readonly onMessage: (message: Message) => void,
  ) {
    call.stream.on("data", (chunk: Buffer) => this.receive(chunk)).on("end", () => this.complete());
  }

  private receive(chunk: Buffer): void {
    const { call } = this;
    if (call.hasEnded) return;
    const { maxRequestBytes } = call.route;
    if (this.body === undefined && this.reader === undefined) {
      this.body = unwrapWhole(chunk, maxRequestBytes);
      if (this.body !== undefined) return;
    }
    try {
      this.reader ??= new EnvelopeReader(maxRequestBytes, (body) => this.take(body));
      this.reader.push(chunk);
    } catch (thrown) {
      call.fail(thrown);
    }
  }

  private take(body: Buffer): void {
    if (this.body !== undefined) throw this.refusal("received extra");
    this.body = body;
  }

  private complete(): void {
    const { call, body, reader } = this;
    if (call.hasEnded) return;
    try {
      if (reader?.isComplete === false) throw incomplete();
      if (body === undefined) throw this.refusal("missing");
      // A watch lasts; the bytes of its request need not.
      this.body = undefined;
      this.onMessage(call.route.codec.decode(body));
    } catch (thrown) {
      call.fail(thrown);
    }
  }

  private refusal(problem: string): ConnectError {
    const kind = this.call.method.methodKind.replace("_", "-");
    return new ConnectError(`protocol error: ${problem} input message for ${kind} method`, Code.Unimplemented);
  }
}
