/** Every definition of work that the docs show is one that the server takes. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../src/services/index.js";
import { parseDefinitions } from "../../src/services/workflows/definition-files.js";
import { loadDefinitions } from "../../src/services/workflows/load-definitions.js";
import { projectFiles, root } from "../helpers/repository.js";
import { createHarness } from "../services/harness.js";
import { codeBlocks } from "./markdown.js";

const definitions = projectFiles("*.md").flatMap((path) =>
  codeBlocks(readFileSync(join(root, path), "utf8"))
    .filter(({ language, code }) => ["json", "yaml"].includes(language) && /\bworkflow_id\b|"nextTaskId"/.test(code))
    .map(({ language, code, line }) => ({ path, line, language, code })),
);

it("are found", () => {
  expect(definitions.map(({ path }) => basename(path))).toContain("workflows.md");
});

it.each(definitions)("$path:$line is loaded as it stands", async ({ path, line, language, code }) => {
  const found = await parseDefinitions(`${path}-${line}.${language}`, Buffer.from(code));
  expect(found.length).toBeGreaterThan(0);
  const { storage, workflows } = createHarness();
  await loadDefinitions(storage, found, DEFAULT_LIMITS);
  for (const { workflow } of found) {
    const { workflow: stored } = await workflows.getWorkflow({ workflowId: workflow.workflowId });
    expect(stored?.tasks.map(({ taskId }) => taskId)).toEqual(workflow.tasks.map(({ taskId }) => taskId));
  }
});
