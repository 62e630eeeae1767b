import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The top of the checkout. */
export const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");

/**
 * Every file of the project as it stands in the work tree, committed or not, as paths from {@link root}.
 *
 * @param patterns git pathspecs, such as `src/*.ts` (which reaches into folders)
 */
export function projectFiles(...patterns: readonly string[]): readonly string[] {
  const list = (...flags: readonly string[]): string[] =>
    execFileSync("git", ["ls-files", "-z", ...flags, "--", ...patterns], { cwd: root, encoding: "utf8" })
      .split("\0")
      .filter((path) => path !== "");
  const deleted = new Set(list("--deleted"));
  return [...new Set(list("--cached", "--others", "--exclude-standard"))].filter((path) => !deleted.has(path)).sort();
}
