import { Code, ConnectError, createContextValues, type ContextValues, type HandlerContext } from "@connectrpc/connect";
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from "node:http2";
import type { CallInfo, HeaderReader, Passage } from "../../interceptors/index.js";
import type { Route } from "./route.js";
import { append, closeReason, failureTrailers, OK_TRAILERS } from "./status.js";
import { deadlineExceeded, parseTimeout } from "./timeout.js";

const RESPONSE_HEADERS: Readonly<OutgoingHttpHeaders> = {
  ":status": 200,
  "content-type": "application/grpc+proto",
};
const WITH_TRAILERS: ServerStreamResponseOptions & { sendDate: boolean } = { waitForTrailers: true, sendDate: false };
const TRAILERS_ONLY: ServerStreamResponseOptions & { sendDate: boolean } = { endStream: true, sendDate: false };
/** The longest delay that a Node timer takes; a deadline further away needs none. */
const MAX_TIMER_MS = 0x7fff_ffff;
/** Making an error for every call that ends would cost more than the call. */
const COMPLETED = new ConnectError("the call has ended", Code.Canceled);

/**
 * One call: what its handler and the gate see of it, and how it ends.
 *
 * It ends exactly once, with {@link succeed}, {@link fail}, or because its client left. Whatever is dear is made when it is asked
 * for: the abort signal, the `Headers`, the context's values.
 */
export class Call implements HandlerContext, CallInfo, HeaderReader {
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  /** Called once, however the call ends. */
  onEnd: (() => void) | undefined;

  private readonly passage: Passage;
  private ended = false;
  private endReason: unknown;
  private deadline: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private controller: AbortController | undefined;
  private contextVariables: ContextValues | undefined;
  private requestHeaders: Headers | undefined;
  private responseHeaders: Headers | undefined;
  private responseTrailers: Headers | undefined;

  constructor(
    readonly stream: ServerHttp2Stream,
    private readonly headers: IncomingHttpHeaders,
    readonly route: Route,
  ) {
    stream.on("error", ignore);
    this.passage = route.gate.open(this);
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  // What the gate looks at.

  get method(): DescMethod {
    return this.route.spec.method;
  }

  get header(): HeaderReader {
    return this;
  }

  get contextValues(): ContextValues {
    return (this.contextVariables ??= createContextValues());
  }

  get(name: string): string | null {
    const value = this.headers[name];
    if (value === undefined) return null;
    return typeof value === "string" ? value : value.join(", ");
  }

  // What the handler looks at besides.

  get service(): DescService {
    return this.method.parent;
  }

  get values(): ContextValues {
    return this.contextValues;
  }

  get url(): string {
    return `http://${this.headers[":authority"] ?? this.headers.host ?? ""}${this.headers[":path"] ?? ""}`;
  }

  get requestHeader(): Headers {
    if (this.requestHeaders === undefined) {
      this.requestHeaders = new Headers();
      for (const name of Object.keys(this.headers)) {
        const value = name.startsWith(":") ? null : this.get(name);
        if (value !== null) this.requestHeaders.append(name, value);
      }
    }
    return this.requestHeaders;
  }

  get responseHeader(): Headers {
    return (this.responseHeaders ??= new Headers());
  }

  get responseTrailer(): Headers {
    return (this.responseTrailers ??= new Headers());
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.ended) this.controller.abort(this.endReason);
      else this.noticeLeaving();
    }
    return this.controller.signal;
  }

  readonly timeoutMs = (): number | undefined =>
    this.deadline === undefined ? undefined : this.deadline - performance.now();

  // How it goes.

  /** Starts the clock of a call that has a deadline. False when the call has failed already. */
  startClock(): boolean {
    const timeout = this.headers["grpc-timeout"];
    if (timeout === undefined) return true;
    try {
      const ms = parseTimeout(String(timeout));
      this.deadline = performance.now() + ms;
      if (ms < 1) throw deadlineExceeded();
      if (ms <= MAX_TIMER_MS) this.timer = setTimeout(() => this.fail(deadlineExceeded()), ms);
      return true;
    } catch (thrown) {
      this.fail(thrown);
      return false;
    }
  }

  /**
   * Passes the gate.
   *
   * @throws OpsCoreError when it may not
   */
  enter(): void {
    this.route.gate.admit(this.passage);
  }

  /** Watches for a client that goes away; a call that is answered in the turn it came in does not need it. */
  noticeLeaving(): void {
    if (this.stream.destroyed) this.leave();
    else this.stream.once("close", this.leave);
  }

  /** Sends the response headers, once. */
  sendHeaders(): void {
    if (this.stream.headersSent) return;
    const { responseHeaders } = this;
    this.stream.respond(
      responseHeaders === undefined ? RESPONSE_HEADERS : merge(RESPONSE_HEADERS, responseHeaders),
      WITH_TRAILERS,
    );
  }

  /** Ends the call well. @param last the last envelope, if it was not written yet */
  succeed(last?: Buffer): void {
    if (this.ended) return;
    if (!this.stream.destroyed) {
      const { responseTrailers } = this;
      this.endStream(responseTrailers === undefined ? OK_TRAILERS : merge(OK_TRAILERS, responseTrailers), last);
      this.passage.succeeded();
    } else this.passage.cancelled();
    this.end(COMPLETED);
  }

  /** Ends the call with whatever was thrown. */
  fail(thrown: unknown): void {
    if (this.ended) return;
    const error = this.passage.failed(thrown);
    const { stream, responseHeaders, responseTrailers } = this;
    if (!stream.destroyed) {
      const failure = failureTrailers(error);
      const trailers = responseTrailers === undefined ? failure : { ...merge({}, responseTrailers), ...failure };
      if (stream.headersSent || responseHeaders !== undefined) this.endStream(trailers, undefined);
      else {
        stream.respond({ ...RESPONSE_HEADERS, ...trailers }, TRAILERS_ONLY);
        this.stopReading();
      }
    }
    this.end(error);
  }

  /** Tells the passage of a request message. */
  gotMessage(message: Message): void {
    this.passage.gotMessage(message);
  }

  sentMessages(count: number): void {
    this.passage.sentMessages(count);
  }

  private endStream(trailers: OutgoingHttpHeaders, last: Buffer | undefined): void {
    const { stream } = this;
    this.sendHeaders();
    stream.once("wantTrailers", () => {
      stream.sendTrailers(trailers);
      this.stopReading();
    });
    if (last === undefined) stream.end();
    else stream.end(last);
  }

  /**
   * The status is on its way. A client that is still sending is told to stop, without an error, as gRPC says; but only after the
   * trailers went out, or grpc-js takes the reset for the end of the call.
   */
  private stopReading(): void {
    const { stream } = this;
    if (stream.readableEnded) return;
    stream.resume();
    setImmediate(() => {
      if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }

  private readonly leave = (): void => {
    if (this.ended) return;
    this.passage.cancelled();
    this.end(closeReason(this.stream));
  };

  private end(reason: unknown): void {
    this.ended = true;
    this.endReason = reason;
    clearTimeout(this.timer);
    this.controller?.abort(reason);
    this.onEnd?.();
  }
}

function merge(base: OutgoingHttpHeaders, headers: Headers): OutgoingHttpHeaders {
  const merged = { ...base };
  for (const [name, value] of headers) append(merged, name, value);
  return merged;
}

function ignore(): void {
  // A stream's error is the client's; its "close" says all that is needed.
}
