/** The part that all server processes share: they start when they are told how, and say how much memory they use. */
import { Link } from "../../harness/link.js";
import type { Memory } from "../../scenario.js";
import { ServeOptions } from "../node-system.js";

/** @param start answers with the port that it listens on */
export function serve(start: (options: ServeOptions) => Promise<number>): void {
  new Link(process, {
    serve: (options) => start(ServeOptions.parse(options)),
    memory: settledMemory,
  });
  // A bench that died must not leave servers behind.
  process.on("disconnect", () => process.exit());
}

async function settledMemory(): Promise<Memory> {
  // Finalizers run between turns and free more.
  for (let i = 0; i < 3; i += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, live: heapUsed + external };
}
