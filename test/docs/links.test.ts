import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, it } from "vitest";
import { projectFiles, root } from "../helpers/repository.js";
import { anchors, links } from "./markdown.js";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const pages = projectFiles("*.md");

it.each(pages)("%s links to what exists", (path) => {
  const broken = links(read(path))
    .filter((target) => !/^https?:/.test(target))
    .filter((target) => {
      const [file = "", anchor] = target.split("#");
      const page = file === "" ? path : normalize(join(dirname(path), file));
      return !existsSync(join(root, page)) || (anchor !== undefined && !anchors(read(page)).has(anchor));
    });
  expect(broken).toEqual([]);
});

it("every page of the docs can be reached from the README", () => {
  const seen = new Set(["README.md"]);
  for (const path of seen) {
    for (const target of links(read(path))) {
      const [file = ""] = target.split("#");
      if (file.endsWith(".md")) seen.add(normalize(join(dirname(path), file)));
    }
  }
  expect(pages.filter((path) => path.startsWith("docs/") && !seen.has(path))).toEqual([]);
});
