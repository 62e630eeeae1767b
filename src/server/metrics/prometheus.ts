/**
 * Metrics as Prometheus reads them. Loaded when somebody asks for the first time.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { DURATIONS, METRICS } from "./catalogue.js";
import type { DurationMetric, Labels, Metric } from "./samples.js";
import type { MetricSources } from "./sources.js";

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
  for (const metric of DURATIONS) registry.registerMetric(new Durations(metric, sources));
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

/** One line of a histogram, as a registry takes it. */
interface HistogramValue {
  readonly metricName: string;
  readonly labels: { readonly le?: number | "+Inf" };
  readonly sharedLabels: Labels;
  readonly value: number;
}

/** A histogram of what was counted already: the library can observe single values only. */
class Durations extends Histogram {
  constructor(
    private readonly metric: DurationMetric,
    private readonly sources: MetricSources,
  ) {
    const { name, help, labels } = metric;
    super({ name, help, labelNames: labels, registers: [] });
  }

  /** What a registry asks a histogram for. */
  getForPromString() {
    const { name, help, type } = this.metric;
    return { name, help, type, values: [...this.values()] };
  }

  private *values(): Generator<HistogramValue> {
    const { name, read } = this.metric;
    for (const { labels: sharedLabels, durations } of read(this.sources)) {
      let count = 0;
      for (const [index, inBucket] of durations.counts.entries()) {
        count += inBucket;
        const le = durations.bounds[index] ?? "+Inf";
        yield { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count };
      }
      yield { metricName: `${name}_sum`, labels: {}, sharedLabels, value: durations.seconds };
      yield { metricName: `${name}_count`, labels: {}, sharedLabels, value: count };
    }
  }
}
