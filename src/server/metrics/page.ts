import type { Authenticate } from "../../interceptors/index.js";
import type { MetricsPage } from "../../transport/http/routes.js";
import type { MetricSources } from "./sources.js";

/**
 * What `/metrics` answers.
 *
 * @param authenticate whom to let in; undefined: everybody
 */
export function createMetricsPage(sources: MetricSources, authenticate: Authenticate | undefined): MetricsPage {
  let page: Promise<{ readonly contentType: string; readonly read: () => Promise<string> }> | undefined;
  const open = async () => {
    // Loaded only when somebody asks: a server that nobody scrapes starts without it.
    const { CONTENT_TYPE, createPage } = await import("./prometheus.js");
    return { contentType: CONTENT_TYPE, read: createPage(sources) };
  };
  return {
    async read(header) {
      authenticate?.(header);
      const { contentType, read } = await (page ??= open());
      return { contentType, text: await read() };
    },
  };
}
