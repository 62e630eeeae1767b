/**
 * What is counted of calls. The counters are plain numbers that somebody reads when asked for metrics: a call pays for a few
 * additions, not for a metrics library.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { DurationHistogram } from "../lib/duration-histogram.js";
import { rpcName } from "./call.js";

/** gRPC status codes go from 0 (OK) to 16. */
const CODES = 17;

/** The upper bounds of the latency histogram, in seconds. */
const LATENCY_BOUNDS: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The calls of one method. */
export class MethodMetrics {
  readonly rpc: string;
  /** How many ended with each status code, by its number. */
  readonly ended = new Float64Array(CODES);
  /** How long those took that were timed. */
  readonly durations = new DurationHistogram(LATENCY_BOUNDS);
  /** How many have come in and not ended. */
  open = 0;

  constructor(
    method: DescMethod,
    /** Whether its duration says something of the server; a stream's and a wait's is the choice of their clients. */
    readonly isTimed: boolean,
  ) {
    this.rpc = rpcName(method);
  }

  /** @param code 0 for OK */
  end(code: number, durationMs: number): void {
    this.open -= 1;
    this.ended[code] = (this.ended[code] ?? 0) + 1;
    if (this.isTimed) this.durations.observe(durationMs);
  }
}

/** The calls of all methods. */
export class CallMetrics {
  private readonly byMethod = new Map<DescMethod, MethodMetrics>();

  constructor(private readonly isTimed: (method: DescMethod) => boolean) {}

  /** A method's own; made at its first call. */
  of(method: DescMethod): MethodMetrics {
    let metrics = this.byMethod.get(method);
    if (metrics === undefined) {
      metrics = new MethodMetrics(method, this.isTimed(method));
      this.byMethod.set(method, metrics);
    }
    return metrics;
  }

  /** Methods that were called so far. */
  all(): Iterable<MethodMetrics> {
    return this.byMethod.values();
  }
}
