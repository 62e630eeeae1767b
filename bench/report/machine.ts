import { arch, availableParallelism, cpus, platform } from "node:os";

/** Where a run took place, as far as it matters. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? arch();
  return `${availableParallelism()} cores (${model}), ${platform()}, Node ${process.versions.node}`;
}
