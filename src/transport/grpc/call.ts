import type { ContextValues, HandlerContext } from "@connectrpc/connect";
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import type { CallInfo, HeaderReader, Passage } from "../../interceptors/index.js";
import { MAX_TIMER_MS } from "../../lib/clock.js";
import { CallValues } from "../context-values.js";
import type { LaneStream, ResponseOptions } from "../lane.js";
import { callEnded } from "../ended.js";
import { toNodeHeaders } from "./headers.js";
import type { Route } from "./route.js";
import { closeReason, failureTrailers, OK_TRAILERS } from "./status.js";
import { deadlineExceeded, parseTimeout } from "./timeout.js";

const CONTENT_TYPE = "application/grpc+proto";
const RESPONSE_HEADERS: Readonly<OutgoingHttpHeaders> = Object.freeze({ ":status": 200, "content-type": CONTENT_TYPE });
const WITH_TRAILERS: ResponseOptions = { waitForTrailers: true, sendDate: false };
const TRAILERS_ONLY: ResponseOptions = { endStream: true, sendDate: false };

/**
 * One call: what its handler and the gate see of it, and how it ends.
 *
 * It ends exactly once: with {@link succeed}, with {@link fail}, or because its client left. Until then its stream can be written
 * to, after that nothing is. Whatever is dear is made when it is asked for: the abort signal, the `Headers`, the context's values.
 */
export class Call implements HandlerContext, CallInfo, HeaderReader {
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";

  private readonly passage: Passage;
  private ended = false;
  /** Undefined when it ended well. */
  private endReason: unknown;
  private endListeners: ((reason: unknown) => void)[] | undefined;
  /** On the clock of `performance.now()`. */
  private deadline: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private controller: AbortController | undefined;
  private contextVariables: ContextValues | undefined;
  private requestHeaders: Headers | undefined;
  private responseHeaders: Headers | undefined;
  private responseTrailers: Headers | undefined;

  constructor(
    readonly stream: LaneStream,
    private readonly headers: IncomingHttpHeaders,
    readonly route: Route,
  ) {
    this.passage = route.gate.open(this);
    // What goes wrong with a stream is the client's doing, and that the stream was closed says all that is needed. "aborted" comes when
    // it is closed while it can still be written to: reset by the client, cut off with its connection, or closed by the server because
    // the request takes too long. Unlike "close" it does not wait until everything that came was read.
    stream.on("error", ignore).on("aborted", () => this.leave());
    if (stream.closed) this.leave();
    else if (headers["grpc-timeout"] !== undefined) this.startClock(String(headers["grpc-timeout"]));
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
    return (this.contextVariables ??= new CallValues());
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
    const { headers } = this;
    return `${headers[":scheme"] ?? "http"}://${headers[":authority"] ?? headers.host ?? ""}${headers[":path"] ?? ""}`;
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
    return (this.responseHeaders ??= new Headers({ "content-type": CONTENT_TYPE }));
  }

  get responseTrailer(): Headers {
    return (this.responseTrailers ??= new Headers({ "grpc-status": "0" }));
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.ended) this.controller.abort(this.endedWith);
    }
    return this.controller.signal;
  }

  get timeoutMs(): () => number | undefined {
    return () => (this.deadline === undefined ? undefined : this.deadline - performance.now());
  }

  // How it goes.

  /**
   * Passes the gate.
   *
   * @throws OpsCoreError when it may not
   */
  enter(): void {
    this.route.gate.admit(this.passage);
  }

  /** Tells the passage of a request message. */
  gotMessage(message: Message): void {
    this.passage.gotMessage(message);
  }

  sentMessages(count: number): void {
    this.passage.sentMessages(count);
  }

  /** Calls `listener` once, when the call ends, however it does; at once when it has ended. */
  onEnd(listener: (reason: unknown) => void): void {
    if (this.ended) listener(this.endedWith);
    else if (this.endListeners === undefined) this.endListeners = [listener];
    else this.endListeners.push(listener);
  }

  /** Sends the response headers, once. */
  sendHeaders(): void {
    if (this.ended || this.stream.headersSent) return;
    this.respond();
  }

  /** Ends the call well. @param last the last envelope, if it was not written yet */
  succeed(last?: Buffer): void {
    if (this.ended) return;
    const { responseTrailers } = this;
    this.passage.succeeded();
    this.endStream(responseTrailers === undefined ? OK_TRAILERS : toNodeHeaders(responseTrailers), last);
    this.end();
  }

  /** Ends the call with whatever was thrown. A defect is logged even when the call is over and nobody is told. */
  fail(thrown: unknown): void {
    const error = this.passage.failed(thrown);
    if (this.ended) return;
    const { stream } = this;
    const trailers = failureTrailers(error, this.responseTrailers);
    if (stream.headersSent || this.responseHeaders !== undefined) this.endStream(trailers, undefined);
    else {
      // "Trailers-Only": a status with nothing before it is one frame.
      stream.respond({ ...trailers, ...RESPONSE_HEADERS }, TRAILERS_ONLY);
      this.stopReading();
    }
    this.end(error);
  }

  private startClock(timeout: string): void {
    try {
      const ms = parseTimeout(timeout);
      this.deadline = performance.now() + ms;
      if (ms < 1) throw deadlineExceeded();
      // A deadline further away needs no timer.
      if (ms <= MAX_TIMER_MS) this.timer = setTimeout(onDeadline, ms, this);
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** The client went away, with or without a word. */
  private leave(): void {
    if (this.ended) return;
    this.passage.cancelled();
    this.end(closeReason(this.stream.rstCode ?? 0));
  }

  private respond(): void {
    const { responseHeaders } = this;
    const headers = responseHeaders === undefined ? RESPONSE_HEADERS : toNodeHeaders(responseHeaders);
    this.stream.respond(headers, WITH_TRAILERS);
  }

  private endStream(trailers: OutgoingHttpHeaders, last: Buffer | undefined): void {
    const { stream } = this;
    if (!stream.headersSent) this.respond();
    // When all that was written is on its way.
    stream.on("wantTrailers", () => {
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
    setImmediate(reset, stream);
  }

  private get endedWith(): unknown {
    return this.endReason ?? callEnded();
  }

  /** @param reason of one that did not end well */
  private end(reason?: unknown): void {
    this.ended = true;
    this.endReason = reason;
    if (this.timer !== undefined) clearTimeout(this.timer);
    this.controller?.abort(this.endedWith);
    if (this.endListeners === undefined) return;
    for (const listener of this.endListeners) listener(this.endedWith);
  }
}

function onDeadline(call: Call): void {
  call.fail(deadlineExceeded());
}

function reset(stream: LaneStream): void {
  if (!stream.readableEnded && !stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
}

function ignore(): void {
  // See where it is used.
}
