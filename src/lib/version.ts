import { createRequire } from "node:module";

/** The version of this package; `unknown` where its manifest is not beside it. */
export function packageVersion(): string {
  const manifest: unknown = createRequire(import.meta.url)("ops-core/package.json");
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}
