import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { OpsCoreError } from "../../../src/errors/index.js";
import { DEFAULT_LIMITS } from "../../../src/services/index.js";
import {
  DefinitionFileError,
  parseDefinitions,
  readDefinitionDirectory,
  readDefinitionFiles,
  type FileDefinition,
} from "../../../src/services/workflows/definition-files.js";
import { loadDefinitions } from "../../../src/services/workflows/load-definitions.js";
import { root } from "../../helpers/repository.js";
import { createHarness } from "../harness.js";

const EXAMPLES = join(root, "examples/workflows");

const parse = (text: string, file = "flow.yaml"): Promise<readonly FileDefinition[]> =>
  parseDefinitions(file, Buffer.from(text));

/** What is wrong with a text, a line for each. */
async function problems(reading: Promise<unknown>): Promise<readonly string[]> {
  const error: unknown = await reading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DefinitionFileError)) throw new Error("expected problems", { cause: error });
  return error.message.split("\n");
}

async function directory(files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "opscore-workflows-"));
  onTestFinished(() => rm(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

describe("a definition in a file", () => {
  test("may say everything that a message can", async () => {
    const [definition] = await parse(`
# a comment
workflow_id: w
display_name: Flow
description: what it does
version: "1"
tasks:
  - task_id: one
    display_name: First
    agent_capability: search
    parameters: { a: [1, null, { b: 2.5 }] }
    timeout: 1.5s
    retry: { max_attempts: 5, initial_backoff: 0s, max_backoff: 10m, multiplier: 1.5 }
    priority: -7
    start_delay: 2h
  - taskId: two
    dependsOn: [one]
`);
    expect(definition).toMatchObject({
      file: "flow.yaml",
      line: 3,
      workflow: {
        workflowId: "w",
        displayName: "Flow",
        description: "what it does",
        version: "1",
        tasks: [
          {
            taskId: "one",
            displayName: "First",
            agentCapability: "search",
            parameters: { a: [1, null, { b: 2.5 }] },
            timeout: { seconds: 1n, nanos: 500_000_000 },
            retry: { maxAttempts: 5, initialBackoff: { seconds: 0n }, maxBackoff: { seconds: 600n }, multiplier: 1.5 },
            priority: -7,
            startDelay: { seconds: 7_200n },
          },
          { taskId: "two", dependsOn: ["one"] },
        ],
      },
    });
  });

  test("may be JSON, in the older format", async () => {
    const [sample] = await readDefinitionFiles([join(EXAMPLES, "sample.json")], DEFAULT_LIMITS);
    expect(sample?.workflow).toMatchObject({
      workflowId: "sample_workflow_id",
      displayName: "Sample workflow",
      version: "1.0",
      tasks: [
        { taskId: "step_1", displayName: "First step", agentCapability: "sample", dependsOn: [] },
        { taskId: "step_2", parameters: { message: "goodbye" }, dependsOn: ["step_1"] },
      ],
    });
  });

  test("may be what the server answered", async () => {
    const text = JSON.stringify({
      workflowId: "w",
      createTime: "2026-01-01T00:00:00Z",
      updateTime: "2026-01-01T00:00:00Z",
      revision: "3",
      tasks: [{ taskId: "t", timeout: "300s", retry: { maxAttempts: 3, initialBackoff: "1s", multiplier: 2 } }],
    });
    expect(await parse(text)).toMatchObject([
      { workflow: { workflowId: "w", tasks: [{ timeout: { seconds: 300n } }] } },
    ]);
  });

  test("may stand beside others", async () => {
    const definitions = await parse("workflow_id: a\n---\n# nothing\n---\nworkflow_id: b\n");
    expect(definitions.map(({ workflow, line }) => [workflow.workflowId, line])).toEqual([
      ["a", 1],
      ["b", 5],
    ]);
  });

  test.each<[string, string, readonly string[]]>([
    ["nothing", "", ["flow.yaml: holds no definition"]],
    ["only a comment", "# later\n", ["flow.yaml: holds no definition"]],
    ["a list", "- a\n", ["flow.yaml:1:1: workflow must be an object, not a list"]],
    ["a word", "later", ['flow.yaml:1:1: workflow must be an object, not "later"']],
    ["no id", "tasks: []\n", ["flow.yaml:1:1: workflow_id must be set"]],
    [
      "values of wrong types",
      'workflow_id: 7\nversion: 1.0\ntasks:\n  - task_id: [a]\n    priority: "1"\n    timeout: 30\n    depends_on: a\n    retry: 3\n    parameters: [1]\n',
      [
        "flow.yaml:1:14: workflow_id must be text, not the number 7",
        "flow.yaml:2:10: version must be text, not the number 1",
        "flow.yaml:4:14: tasks[0].task_id must be text, not a list",
        "flow.yaml:9:17: tasks[0].parameters must be an object, not a list",
        'flow.yaml:7:17: tasks[0].depends_on must be a list, not "a"',
        "flow.yaml:6:14: tasks[0].timeout must be a duration such as 500ms, 30s, 5m or 1h, not the number 30",
        "flow.yaml:8:12: tasks[0].retry must be an object, not the number 3",
        'flow.yaml:5:15: tasks[0].priority must be a whole number, not "1"',
      ],
    ],
    [
      "values out of bounds",
      "workflow_id: w\ntasks:\n  - task_id: a b\n    priority: 2000\n    retry:\n      multiplier: 99\n",
      [
        "flow.yaml:3:14: tasks[0].task_id must be 1 to 128 characters of [A-Za-z0-9._:-]",
        "flow.yaml:6:19: tasks[0].retry.multiplier must be 1 to 10",
        "flow.yaml:4:15: tasks[0].priority must be -1000 to 1000",
      ],
    ],
    [
      "names that are not known",
      "workflow_id: w\ntasks:\n  - task_id: a\n    dependson: [b]\n",
      [
        "flow.yaml:4:16: tasks[0].dependson must not be there: the fields are task_id, display_name, agent_capability, parameters, depends_on, timeout, retry, priority, start_delay, next_task_id",
      ],
    ],
    [
      "a field by two names",
      "workflow_id: w\nid: v\n",
      ['flow.yaml:1:14: workflow_id must be given once, not as "workflow_id" and "id"'],
    ],
    [
      "a dependency that is not there",
      "workflow_id: w\ntasks:\n  - task_id: a\n    depends_on:\n      - b\n",
      ['flow.yaml:5:9: tasks[0].depends_on[0] must be the id of a task of this workflow; "b" is none'],
    ],
    [
      "a successor that is not there",
      '{"id": "w", "tasks": [\n  {"taskId": "a", "nextTaskId": "b"}\n]}',
      ['flow.yaml:2:33: tasks[0].next_task_id must be the id of a task of this workflow; "b" is none'],
    ],
    [
      "a circle of successors",
      '{"id": "w", "tasks": [\n  {"taskId": "a", "nextTaskId": "b"},\n  {"taskId": "b", "nextTaskId": "a"}\n]}',
      ["flow.yaml:2:33: tasks[1].depends_on[0] must not make a task wait for itself: b → a → b"],
    ],
    [
      "what cannot be read",
      "workflow_id: w\ntasks: [\n",
      ["flow.yaml:3:1: Flow sequence in block collection must be sufficiently indented and end with a ]"],
    ],
    ["a key twice", "workflow_id: w\nworkflow_id: v\n", ["flow.yaml:2:1: this key is there already"]],
    [
      "parameters that no message can hold",
      "workflow_id: w\ntasks:\n  - task_id: a\n    parameters:\n      deep: [1, .nan]\n",
      ['flow.yaml:5:7: tasks[0].parameters["deep"][1] must be a finite number'],
    ],
  ])("with %s is refused, with its place", async (_, text, expected) => {
    expect(await problems(parse(text))).toEqual(expected);
  });

  test.each<[string, string, RegExp]>([
    ["what ends early", '{"id": "w", "tasks": [\n', /^2:1: .*end of JSON input$/],
    ["a comma too few", '{"id": "w",\n"tasks": [{"taskId": "a"} {"taskId": "b"}]}', /^2:27: Expected '.* in JSON$/],
    ["a word that is none", '{"id": "w",\n"tasks": [nothing}', /^2:\d+: Unexpected token .* is not valid JSON$/],
    ["more after it", '{"id": "w"}\n{"id": "v"}', /^2:1: Unexpected .* after JSON$/],
    ["a key twice", '{"id": "w",\n"id": "v"}', /^2:1: this key is there already$/],
    ["a byte order mark", '\uFEFF{"id": "w"]', /^1:11: Expected '.* in JSON$/],
  ])("in JSON with %s is refused in words of JSON, as Node has them", async (_, text, expected) => {
    for (const file of ["flow.json", "FLOW.JSON"]) {
      const [problem, ...others] = await problems(parse(text, file));
      expect(problem).toMatch(new RegExp(`^${file}:`));
      expect(problem?.slice(file.length + 1)).toMatch(expected);
      expect(others).toEqual([]);
    }
  });

  test("in JSON may be as YAML allows it", async () => {
    const [definition] = await parse('{"id": "w", # so far\n"tasks": [],}', "flow.json");
    expect(definition?.workflow.workflowId).toBe("w");
  });

  test("cannot fill the memory", async () => {
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (const [i, name] of ["b", "c", "d", "e", "f", "g", "h", "i"].entries()) {
      bomb.push(`${name}: &${name} [${new Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`);
    }
    expect(await problems(parse(bomb.join("\n")))).toEqual([
      "flow.yaml:1:1: Excessive alias count indicates a resource exhaustion attack",
    ]);
    expect(await problems(parse("x".repeat(4 * 1024 * 1024 + 1)))).toEqual([
      "flow.yaml: must be at most 4194304 bytes",
    ]);
  });

  test("means nothing to JavaScript", async () => {
    const text =
      '{"workflowId": "w", "__proto__": {"tasks": []}, "tasks": [{"taskId": "t", "parameters": {"__proto__": {}}}]}';
    const found = await problems(parse(text));
    expect(found).toHaveLength(2);
    expect(found.join()).toContain('must not have the key "__proto__"');
  });
});

describe("a directory", () => {
  test("is read in the order of its names, with nothing but its definitions", async () => {
    const path = await directory({
      "b.yml": "workflow_id: b",
      "a.JSON": '{"id": "a"}',
      "README.md": "# not one",
      ".hidden.yaml": "nonsense",
    });
    await mkdir(join(path, "inner.yaml"));
    await symlink(join(EXAMPLES, "sample.json"), join(path, "c.json"));
    const definitions = await readDefinitionDirectory(path, DEFAULT_LIMITS);
    expect(definitions.map(({ workflow }) => workflow.workflowId)).toEqual(["a", "b", "sample_workflow_id"]);
  });

  test("says all that is wrong in it", async () => {
    const path = await directory({ "a.yaml": "id: w", "b.yaml": "tasks: 1", "c.json": '{"id":\n "w"}' });
    expect(await problems(readDefinitionDirectory(path, DEFAULT_LIMITS))).toEqual([
      `${path}/b.yaml:1:8: tasks must be a list, not the number 1`,
      `${path}/b.yaml:1:1: workflow_id must be set`,
      `${path}/c.json:2:2: workflow_id must differ from that of ${path}/a.yaml:1:5`,
    ]);
    expect(await problems(readDefinitionDirectory(join(path, "none"), DEFAULT_LIMITS))).toEqual([
      `${path}/none: cannot be read: no such file or directory`,
    ]);
  });
});

describe("loading", () => {
  test("stores what is new or differs, and nothing else", async () => {
    const h = createHarness();
    const examples = await readDefinitionDirectory(EXAMPLES, DEFAULT_LIMITS);
    const ids = examples.map(({ workflow }) => workflow.workflowId);
    expect(await loadDefinitions(h.storage, examples, DEFAULT_LIMITS)).toEqual({ stored: ids, unchanged: [] });
    const { workflow } = await h.workflows.getWorkflow({ workflowId: "sample_workflow_id" });
    expect(await loadDefinitions(h.storage, examples, DEFAULT_LIMITS)).toEqual({ stored: [], unchanged: ids });
    expect((await h.workflows.getWorkflow({ workflowId: "sample_workflow_id" })).workflow).toEqual(workflow);
    await h.workflows.putWorkflow({ workflow: { workflowId: "report" } });
    expect((await loadDefinitions(h.storage, examples, DEFAULT_LIMITS)).stored).toEqual(["report"]);
  });

  test("goes on when somebody else stores the same at the same time", async () => {
    const h = createHarness();
    const [sample] = await readDefinitionFiles([join(EXAMPLES, "sample.json")], DEFAULT_LIMITS);
    if (sample === undefined) throw new Error("no sample");
    await h.workflows.putWorkflow({ workflow: { workflowId: "sample_workflow_id" } });
    let isFirst = true;
    const racing = {
      getWorkflow: h.storage.getWorkflow.bind(h.storage),
      async putWorkflow(command: Parameters<typeof h.storage.putWorkflow>[0]) {
        if (isFirst) await h.storage.putWorkflow({ ...command, expectedRevision: 0 });
        isFirst = false;
        return h.storage.putWorkflow(command);
      },
    };
    const loaded = await loadDefinitions(racing, [sample], DEFAULT_LIMITS);
    expect(loaded).toEqual({ stored: [], unchanged: ["sample_workflow_id"] });
  });

  test("fails with what the storage fails with", async () => {
    const examples = await readDefinitionDirectory(EXAMPLES, DEFAULT_LIMITS);
    const away = () => Promise.reject(new OpsCoreError("STORAGE_UNAVAILABLE", "away"));
    await expect(
      loadDefinitions({ getWorkflow: away, putWorkflow: away }, examples, DEFAULT_LIMITS),
    ).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
  });
});
