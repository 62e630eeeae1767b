/** Every block of code in the README and in the docs is run, or at least checked; see page.ts for how. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectFiles, root } from "../helpers/repository.js";
import { requireCommand } from "../helpers/system.js";
import type { Finished } from "../helpers/run.js";
import { codeBlocks } from "./markdown.js";
import { PageRun, treatmentOf } from "./page.js";
import { compile, type CompiledModule } from "./snippets.js";

const pages = projectFiles("*.md").map((path) => {
  const name = basename(path, ".md").toLowerCase();
  const blocks = codeBlocks(readFileSync(join(root, path), "utf8")).map((block) => ({
    ...block,
    id: `${name}-${block.line}`,
    treatment: treatmentOf(block),
  }));
  return { path, blocks };
});

let modules: ReadonlyMap<string, CompiledModule>;

beforeAll(async () => {
  requireCommand("curl");
  requireCommand("openssl");
  requireCommand("python3");
  const blocks = pages.flatMap((page) => page.blocks).filter(({ language }) => language === "ts");
  modules = await compile(new Map(blocks.map(({ id, code }) => [id, `${code}\nexport {};\n`])));
}, 120_000);

describe.each(pages.filter(({ blocks }) => blocks.some(({ treatment }) => treatment !== "look")))(
  "$path",
  ({ blocks }) => {
    let page: PageRun;
    let printed = "";

    beforeAll(async () => {
      page = await PageRun.start();
    });

    afterAll(async () => {
      expect(await page.end()).toBeOneOf([0, undefined]);
    });

    for (const { id, line, language, code, treatment } of blocks) {
      if (treatment === "look" || treatment === "elsewhere" || treatment === "check") continue;
      it(`line ${line}: ${language} ${treatment}`, async () => {
        switch (treatment) {
          case "serve":
            await page.serve(code);
            break;
          case "output":
            expect(printed).toMatch(pattern(code));
            break;
          case "run":
          case "fail": {
            const done = await (language === "ts" ? runModule(page, id) : page.shell(code));
            const said = done.stdout + done.stderr;
            if (treatment === "run") expect(done.code, said).toBe(0);
            else expect(done.code, said).not.toBe(0);
            printed = done.stdout + (treatment === "fail" ? done.stderr : "");
          }
        }
      });
    }
  },
);

function runModule(page: PageRun, id: string): Promise<Finished> {
  const compiled = modules.get(id);
  if (compiled === undefined) throw new Error(`${id} was not compiled`);
  return page.module(compiled.file, compiled.source);
}

/** What is printed in the docs, line by line; `…` stands for anything. */
function pattern(text: string): RegExp {
  const lines = text.split("\n").map((line) => line.split("…").map(escape).join(".*"));
  return new RegExp(`^${lines.join(" *\\n")}\\s*$`);
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
