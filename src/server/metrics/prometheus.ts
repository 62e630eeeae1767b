/**
 * Metrics as Prometheus reads them. Loaded when somebody asks for the first time.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { LATENCY_BOUNDS, type CallMetrics } from "../../interceptors/index.js";
import { CALL_DURATION, METRICS, type Metric, type MetricSources } from "./catalogue.js";

/** Of the process, whatever runs in it: CPU, memory, event loop, garbage collection. */
const processRegistry = new Registry();
collectDefaultMetrics({ register: processRegistry });

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** @returns answers the metrics as they are when it is called */
export function createPage(sources: MetricSources): () => Promise<string> {
  const registry = new Registry();
  for (const metric of METRICS) {
    if (metric.isRedis !== true || sources.status !== undefined) register(metric, sources, registry);
  }
  registry.registerMetric(new CallDurations(sources.calls));
  return async () => `${await registry.metrics()}\n${await processRegistry.metrics()}`;
}

/** Its value is read when it is asked for: see {@link Metric.read}. */
function register(metric: Metric, sources: MetricSources, registry: Registry): void {
  const { name, help, labels, read } = metric;
  const configuration = { name, help, labelNames: labels, registers: [registry] };
  if (metric.type === "gauge") {
    new Gauge({
      ...configuration,
      collect() {
        this.reset();
        for (const sample of read(sources)) this.set({ ...sample.labels }, sample.value);
      },
    });
  } else {
    new Counter({
      ...configuration,
      collect() {
        this.reset();
        for (const sample of read(sources)) this.inc({ ...sample.labels }, sample.value);
      },
    });
  }
}

/** One line of the histogram, as a registry takes it. */
interface HistogramValue {
  readonly metricName: string;
  readonly labels: { readonly le?: number | "+Inf" };
  readonly sharedLabels: { readonly rpc: string };
  readonly value: number;
}

/** The histogram of what {@link CallMetrics} has counted: the library can observe single values only. */
class CallDurations extends Histogram<"rpc"> {
  constructor(private readonly calls: CallMetrics) {
    super({ ...CALL_DURATION, registers: [] });
  }

  /** What a registry asks a histogram for. */
  getForPromString() {
    const { name, help, type } = CALL_DURATION;
    return { name, help, type, values: [...this.values()] };
  }

  private *values(): Generator<HistogramValue> {
    const { name } = CALL_DURATION;
    for (const { rpc, isTimed, latencies, seconds } of this.calls.all()) {
      if (!isTimed) continue;
      const sharedLabels = { rpc };
      let count = 0;
      for (const [index, inBucket] of latencies.entries()) {
        count += inBucket;
        const le = LATENCY_BOUNDS[index] ?? "+Inf";
        yield { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count };
      }
      yield { metricName: `${name}_sum`, labels: {}, sharedLabels, value: seconds };
      yield { metricName: `${name}_count`, labels: {}, sharedLabels, value: count };
    }
  }
}
