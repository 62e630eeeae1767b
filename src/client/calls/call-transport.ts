import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
} from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  type ContextValues,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { StateService } from "../../../gen/opscore/v1/state_service_pb.js";
import { retryAfterMs } from "../errors.js";
import { backoffMs, type RetryPolicy } from "../retry-policy.js";
import type { Ending } from "../ending.js";
import { pause, type Scheduler } from "../scheduler.js";
import { callFailure, clientClosed, isTransient } from "./failures.js";
import { methodFacts, withRequestId } from "./method-facts.js";

type HeadersInit = ConstructorParameters<typeof Headers>[0];

export interface CallRules {
  /** Sent with every call; a header of the call itself wins. */
  readonly headers: Readonly<Record<string, string>>;
  readonly retry: RetryPolicy;
  /** The deadline of unary calls that name none, in milliseconds; 0: none. Streams and waits never have one by default. */
  readonly defaultTimeoutMs: number;
  readonly scheduler: Scheduler;
  /** Ends when the client is closed. */
  readonly lifetime: Ending;
}

/**
 * The longest deadline that every lane carries, a little more than a day: gRPC has eight digits for it. A longer one would be refused, or
 * be over at once where it does not fit a timer of the runtime, so it is left out: a call that may take as long counts as one without.
 */
const MAX_DEADLINE_MS = 99_999_999;

/** For how long the server holds a report for an agent that is not registered yet, unless the report says otherwise. */
const DEFAULT_HOLD_MS = 5_000;

/**
 * Makes every call of a client obey its rules, over whatever transport carries it: headers, deadlines, and retries of calls that are
 * safe to repeat. A transport around a transport, and not an interceptor, because only here are the request's deadline and the
 * caller's own signal known, and because it serves transports that were made elsewhere just as well.
 */
export class CallTransport implements Transport {
  constructor(
    private readonly carrier: Transport,
    private readonly rules: CallRules,
  ) {}

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const { scheduler, retry, lifetime } = this.rules;
    const facts = methodFacts(method);
    const request = facts.requestId ? withRequestId(input) : input;
    const headers = this.headers(header);
    const deadline = scheduler.monotonic() + this.budgetMs(method, timeoutMs, input);

    for (let attempt = 1; ; attempt++) {
      this.assertOpen();
      try {
        const leftMs = carriedMs(Math.max(1, deadline - scheduler.monotonic()));
        return await this.carrier.unary(method, signal, leftMs, headers, request, contextValues);
      } catch (thrown) {
        const failure = this.failure(thrown, signal);
        if (!facts.repeatable || !isTransient(failure) || attempt >= retry.maxAttempts) throw failure;
        const delay = backoffMs(retry, attempt, scheduler.random(), retryAfterMs(failure));
        // Waiting beyond the deadline would only trade what went wrong for a DEADLINE_EXCEEDED.
        if (scheduler.monotonic() + delay >= deadline) throw failure;
        await pause(scheduler, delay, lifetime, signal);
        if (signal?.aborted) throw ConnectError.from(signal.reason, Code.Canceled);
      }
    }
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    this.assertOpen();
    try {
      const carried = timeoutMs === undefined ? undefined : carriedMs(timeoutMs);
      return await this.carrier.stream(method, signal, carried, this.headers(header), input, contextValues);
    } catch (thrown) {
      throw this.failure(thrown, signal);
    }
  }

  /** Milliseconds the call may take; `Infinity` without a deadline. As everywhere in Connect, 0 or less asks for none. */
  private budgetMs(method: DescMethod, timeoutMs: number | undefined, input: unknown): number {
    if (timeoutMs !== undefined) return timeoutMs > 0 ? timeoutMs : Infinity;
    const { defaultTimeoutMs } = this.rules;
    if (defaultTimeoutMs === 0 || method === StateService.method.waitForState) return Infinity;
    return defaultTimeoutMs + (method === StateService.method.setState ? holdMs(input) : 0);
  }

  private headers(header: HeadersInit | undefined): HeadersInit {
    if (header === undefined) return this.rules.headers;
    const headers = new Headers(this.rules.headers);
    new Headers(header).forEach((value, name) => headers.set(name, value));
    return headers;
  }

  private failure(thrown: unknown, signal: AbortSignal | undefined): ConnectError {
    return this.rules.lifetime.hasEnded() ? clientClosed() : callFailure(thrown, signal?.aborted === true);
  }

  private assertOpen(): void {
    if (this.rules.lifetime.hasEnded()) throw clientClosed();
  }
}

/** A deadline as lanes can carry it: in whole milliseconds, and none where it is too long. As everywhere in Connect, 0 or less asks for none. */
function carriedMs(ms: number): number | undefined {
  return ms > 0 && ms <= MAX_DEADLINE_MS ? Math.ceil(ms) : undefined;
}

/** How long a SetState may be held by the server before it is answered at all. */
function holdMs(request: unknown): number {
  const hold = (request as MessageInitShape<typeof StateService.method.setState.input>).waitForRegistration;
  if (hold === undefined) return DEFAULT_HOLD_MS;
  return durationMs({ $typeName: "google.protobuf.Duration", seconds: hold.seconds ?? 0n, nanos: hold.nanos ?? 0 });
}
