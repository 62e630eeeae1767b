import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../helpers/repository.js";
import { runToEnd } from "../helpers/run.js";

/** Inside the package, where its own name resolves to what is built. */
const PARENT = join(root, "dist");

/**
 * Checks modules as strictly as the project's own and compiles them.
 *
 * @param sources by file name, without extension
 * @param folder a name that nobody else uses
 * @returns the compiled JavaScript by the same names, and where it belongs
 * @throws with every complaint of the compiler
 */
export async function compile(
  sources: ReadonlyMap<string, string>,
  folder = "snippets",
): Promise<ReadonlyMap<string, CompiledModule>> {
  const path = join(PARENT, folder);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  const options = { noEmit: false, outDir: ".", rootDir: ".", sourceMap: false };
  const config = { extends: "../../tsconfig.json", compilerOptions: options, include: ["*.ts"], exclude: [] };
  await writeFile(join(path, "tsconfig.json"), JSON.stringify(config));
  for (const [name, source] of sources) await writeFile(join(path, `${name}.ts`), source);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { code, stdout } = await runToEnd(process.execPath, [tsc, "--project", path]);
  if (code !== 0) throw new Error(`the code in the docs does not compile\n${stdout}`);
  const compiled = new Map<string, CompiledModule>();
  for (const name of sources.keys()) {
    const file = join(path, `${name}.js`);
    compiled.set(name, { file, source: await readFile(file, "utf8") });
  }
  return compiled;
}

export interface CompiledModule {
  readonly file: string;
  readonly source: string;
}
