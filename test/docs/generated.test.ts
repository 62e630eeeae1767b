/**
 * Parts of the docs are made from tables in the source, so that the two cannot differ. Such a part stands between
 * `<!-- generated: NAME -->` and `<!-- end -->`. `npm run docs:generate` brings it up to date; this test says when that is due.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { expect, it } from "vitest";
import { projectFiles, root } from "../helpers/repository.js";
import { services } from "./sections/api.js";
import { commands, connection, shell } from "./sections/cli.js";
import { settings } from "./sections/configuration.js";
import { reasons } from "./sections/errors.js";
import { metrics } from "./sections/metrics.js";
import { keys } from "./sections/storage.js";
import { sessionTransitions, stateTransitions, taskTransitions } from "./sections/transitions.js";

const SECTIONS: Readonly<Record<string, () => string | Promise<string>>> = {
  commands,
  connection,
  keys,
  metrics,
  reasons,
  services,
  "session transitions": sessionTransitions,
  settings,
  shell,
  "state transitions": stateTransitions,
  "task transitions": taskTransitions,
};

const SECTION = /(<!-- generated: (.+) -->\n)[\s\S]*?(<!-- end -->)/g;

const pages = projectFiles("*.md").map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

it("puts every section on a page", () => {
  const used = pages.flatMap(({ text }) => [...text.matchAll(SECTION)].map(([, , name]) => name));
  expect(used.sort()).toEqual(Object.keys(SECTIONS).sort());
});

it.each(pages)("$path is what `npm run docs:generate` makes of it", async ({ path, text }) => {
  let fresh = text;
  for (const [whole, open = "", name = "", close = ""] of text.matchAll(SECTION)) {
    const section = SECTIONS[name];
    if (section === undefined) throw new Error(`${path} wants a section that does not exist: ${name}`);
    const content = await section();
    fresh = fresh.replace(whole, () => `${open}\n${content}\n\n${close}`);
  }
  const file = join(root, path);
  const formatted = await format(fresh, { ...(await resolveConfig(file)), filepath: file });
  await expect(formatted).toMatchFileSnapshot(file);
});
