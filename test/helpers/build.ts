import { run } from "./run.js";
import { root } from "./repository.js";

/** Brings dist/ up to date before the tests that run what is built: they must never judge yesterday's build. */
export default async function build(): Promise<void> {
  await run("npm", ["run", "--silent", "build"], { cwd: root });
}
