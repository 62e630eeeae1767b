import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, type HandlerContext } from "@connectrpc/connect";
import { OpsCoreError } from "../../errors/index.js";
import type { CallInfo, Gate, HeaderReader, Passage } from "../../interceptors/index.js";
import { isPromise, type Awaitable } from "../../lib/awaitable.js";
import { CallValues } from "../context-values.js";
import { callEnded } from "../ended.js";
import { readBody, type BodyReader } from "./body.js";
import { failureAnswer, type FailureContext } from "./failures.js";
import { headerOf, type HttpRequest, type HttpResponse } from "./messages.js";
import { sendAnswer, statusAnswer } from "./responses.js";
import type { CallRoute, HttpAnswer } from "./routes.js";

export interface CallParts {
  readonly gate: Gate;
  /** The largest body, in bytes. */
  readonly maxRequestBytes: number;
}

/**
 * One request on its way to a service: what the gate and the service see of it, and how it ends, which it does once. Whatever is
 * dear and that services rarely ask for is made when it is asked for.
 */
export class HttpCall implements HandlerContext, CallInfo, HeaderReader, BodyReader {
  readonly protocolName = "http";
  /** What is called; a route that calls one of several methods says which, once it knows. */
  method: DescMethod;
  readonly contextValues: ContextValues = new CallValues();

  private readonly passage: Passage;
  private readonly since = performance.now();
  private ended = false;
  private controller: AbortController | undefined;
  private requestHeaders: Headers | undefined;
  private responseHeaders: Headers | undefined;
  private responseTrailers: Headers | undefined;

  constructor(
    readonly route: CallRoute,
    readonly params: readonly string[],
    private readonly request: HttpRequest,
    private readonly response: HttpResponse,
    private readonly parts: CallParts,
  ) {
    this.method = route.rpc;
    this.passage = parts.gate.open(this);
  }

  /** Serves the request. */
  begin(): void {
    const { gate, maxRequestBytes } = this.parts;
    this.response.on("close", this.onClose);
    try {
      // Who may not call need not send anything either.
      if (this.route.authenticate === undefined) gate.admit(this.passage);
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    readBody(this.request, maxRequestBytes, this);
  }

  gotBody(body: Buffer): void {
    if (this.ended) return;
    const { route, parts, passage } = this;
    const { authenticate } = route;
    let answer: Awaitable<HttpAnswer>;
    try {
      if (authenticate !== undefined) parts.gate.admit(passage, (header) => authenticate(header, body));
      answer = route.handle(this, body);
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    if (isPromise(answer)) answer.then(this.succeed, this.fail);
    else this.succeed(answer);
  }

  bodyFailed(failure: OpsCoreError): void {
    this.fail(failure);
  }

  /** Tells the passage of the message that is made of the request. */
  calls<M extends Message>(message: M): M {
    this.passage.gotMessage(message);
    return message;
  }

  // What the gate looks at.

  get header(): HeaderReader {
    return this;
  }

  get(name: string): string | null {
    return headerOf(this.request, name);
  }

  // What the service looks at besides.

  get requestMethod(): string {
    return this.request.method ?? "";
  }

  get service(): DescService {
    return this.method.parent;
  }

  get values(): ContextValues {
    return this.contextValues;
  }

  get url(): string {
    return `http://${this.get(":authority") ?? this.get("host") ?? ""}${this.request.url ?? ""}`;
  }

  get requestHeader(): Headers {
    if (this.requestHeaders === undefined) {
      this.requestHeaders = new Headers();
      for (const name of Object.keys(this.request.headers)) {
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
      if (this.ended) this.controller.abort(callEnded());
    }
    return this.controller.signal;
  }

  get timeoutMs(): () => number | undefined {
    return () => undefined;
  }

  // How it ends.

  private readonly succeed = (answer: HttpAnswer): void => {
    if (this.ended) return;
    this.passage.sentMessages(1);
    this.passage.succeeded();
    this.end(callEnded);
    sendAnswer(this.response, answer, this.since);
  };

  /** A defect is logged even when the client has left and nobody is told. */
  private readonly fail = (thrown: unknown): void => {
    const error = this.passage.failed(thrown);
    if (this.ended) return;
    this.end(() => error);
    const { cause } = error;
    const answer = cause instanceof OpsCoreError ? failureAnswer(cause, this.failureContext) : statusAnswer(500);
    sendAnswer(this.response, answer, this.since);
  };

  private readonly onClose = (): void => {
    if (this.ended) return;
    this.passage.cancelled();
    this.end(() => new ConnectError("the client went away", Code.Canceled));
  };

  private get failureContext(): FailureContext {
    const { places, authenticate } = this.route;
    return {
      header: this,
      places,
      notFound: (error) => this.route.notFound(this, error),
      isSigned: authenticate !== undefined,
    };
  }

  /** @param reason made only when somebody has the signal */
  private end(reason: () => ConnectError): void {
    this.ended = true;
    this.controller?.abort(reason());
  }
}
