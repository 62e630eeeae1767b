/** How the table of metrics is written down. */
import type { DurationHistogram } from "../../lib/duration-histogram.js";
import type { MetricSources } from "./sources.js";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly labels: readonly string[];
  readonly help: string;
  /** Only where the state is kept in Redis. */
  readonly isRedis?: true;
  readonly read: (sources: MetricSources) => Iterable<Sample>;
}

export interface DurationMetric {
  readonly name: string;
  readonly type: "histogram";
  readonly labels: readonly string[];
  readonly help: string;
  readonly read: (
    sources: MetricSources,
  ) => Iterable<{ readonly labels: Labels; readonly durations: DurationHistogram }>;
}

export function gauge(name: string, labels: readonly string[], help: string, read: Metric["read"]): Metric {
  return { name, type: "gauge", labels, help, read };
}

export function counter(name: string, labels: readonly string[], help: string, read: Metric["read"]): Metric {
  return { name, type: "counter", labels, help, read };
}

export function redis(metric: Metric): Metric {
  return { ...metric, isRedis: true };
}

export function sample(value: number, labels: Labels = {}): Sample {
  return { labels, value };
}

export function one(value: number): readonly Sample[] {
  return [sample(value)];
}

export function entries(values: ReadonlyMap<string, number | boolean> | undefined, label: string): readonly Sample[] {
  return [...(values ?? [])].map(([name, value]) => sample(Number(value), { [label]: name }));
}
