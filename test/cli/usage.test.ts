import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EXIT_CODES } from "../../src/cli/exit-codes.js";
import { root } from "../helpers/repository.js";
import { opscore, type Ended, type FakeIoOptions } from "./harness.js";

function usage(line: string, options?: FakeIoOptions): Promise<Ended> {
  return opscore(line.split(" "), options);
}

const GROUPS = {
  agent: ["list", "get", "register", "deregister"],
  state: ["get", "set", "watch", "wait", "history"],
  session: ["start", "get", "update", "list", "watch"],
} as const;
const COMMANDS = [
  ...["serve", "demo", "config", "agent", "state", "session"],
  ...Object.entries(GROUPS).flatMap(([group, names]) => names.map((name) => `${group} ${name}`)),
];

describe("help", () => {
  it("is shown when nothing is asked for", async () => {
    const { code, stdout, stderr } = await opscore([]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe((await usage("--help")).stdout);
  });

  it("names every command, every exit code and the environment", async () => {
    const { stdout } = await usage("--help");
    for (const name of ["serve", "demo", "agent", "state", "session", "config"]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name} `, "m"));
    }
    for (const { code, meaning } of Object.values(EXIT_CODES)) {
      expect(stdout).toMatch(new RegExp(`^ *${code} {2}${meaning.replace(/[()]/g, "\\$&")}$`, "m"));
    }
    for (const name of ["OPSCORE_URL", "OPSCORE_API_KEY", "OPSCORE_NAMESPACE", "NO_COLOR"]) {
      expect(stdout).toContain(name);
    }
  });

  it.each(COMMANDS)("of %s goes to standard output", async (command) => {
    const { code, stdout, stderr } = await usage(`${command} --help`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: opscore ${command}`);
    expect(stdout).not.toContain("\x1b");
  });

  it("of a command can be asked for in two ways", async () => {
    expect((await usage("help agent")).stdout).toBe((await usage("agent --help")).stdout);
    expect((await usage("agent help list")).stdout).toBe((await usage("agent list --help")).stdout);
  });

  it("has colours on a terminal", async () => {
    expect((await usage("agent list --help", { tty: true })).stdout).toContain("\x1b[");
    expect((await usage("agent list --help", { tty: true, env: { NO_COLOR: "1" } })).stdout).not.toContain("\x1b[");
  });

  it("of a group goes to standard error when its command is missing", async () => {
    const { code, stdout, stderr } = await usage("agent");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: opscore agent");
  });
});

it("the version is the package's", async () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
  expect(await usage("--version")).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
});

it("every exit code has one meaning", () => {
  const codes = Object.values(EXIT_CODES).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  expect(EXIT_CODES.OK.code).toBe(0);
});

describe("what cannot be understood ends with code 2 and says what to do", () => {
  it.each([
    ["agnt", "unknown command 'agnt'", "Did you mean agent?", "opscore --help"],
    ["agent lst", "unknown command 'lst'", "Did you mean list?", "opscore agent --help"],
    ["agent list --jsn", "unknown option '--jsn'", "Did you mean --json?", "opscore agent list --help"],
    ["agent list extra", "too many arguments for 'list'", "", "opscore agent list --help"],
    ["state get", "missing required argument 'agent-id'", "", "opscore state get --help"],
    ["state set writer-1", "missing required argument 'state'", "", "opscore state set --help"],
    ["agent list --limit", "option '--limit <count>' argument missing", "", "opscore agent list --help"],
    ["--url http://x agent list", "unknown option '--url'", "Options go after the command", "opscore --help"],
    [
      "agent --url=http://x list",
      "unknown option '--url=http://x'",
      "Options go after the command",
      "opscore agent --help",
    ],
  ])("%s", async (line, message, suggestion, help) => {
    const { code, stdout, stderr } = await usage(line);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error: /);
    for (const part of [message, suggestion, help]) expect(stderr).toContain(part);
  });
});

it.each([
  [
    "agent update a --if-revision 3",
    "--display-name, --agent-version, --capability, --label, --contact-endpoint, --metadata, --lease-ttl, --clear",
  ],
  ["session update s", "--status, --metadata, --result, --error"],
])("a change of nothing is refused: %s", async (line, options) => {
  const { code, stdout, stderr } = await usage(line);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toBe(`error: nothing to change was given\nhint: Give at least one of ${options}.\n`);
});

it("an unknown option of a command is not said to be in the wrong place", async () => {
  for (const line of ["agent list --frobnicate", "agent --hlp"]) {
    expect((await usage(line)).stderr).not.toContain("after the command");
  }
});

describe("values that cannot be used", () => {
  it("are all named, each on its line", async () => {
    const line = "state set writer-1 idel --details {x --if-revision many --timeout 4y --url foo --transport smoke";
    const { code, stderr } = await usage(line);
    expect(code).toBe(2);
    expect(stderr.trimEnd().split("\n")).toEqual([
      "error: 6 values cannot be used",
      expect.stringMatching(/^ {2}<state> {8}must be one of unknown, .*, got "idel"; did you mean idle\?$/),
      expect.stringMatching(/^ {2}--details {6}is not JSON: /),
      `  --if-revision  must be a whole number from 0 to 9223372036854775807, got "many"`,
      `  --url          must be an http or https URL, such as http://127.0.0.1:8080, got "foo"`,
      `  --transport    must be one of grpc, connect, grpc-web, got "smoke"`,
      `  --timeout      must be a duration from 0ms to 1d, such as 500ms, 10s or 5m, got "4y"`,
    ]);
  });

  it.each([
    ["agent register a --label env", "--label", "must be a key=value pair, such as env=prod"],
    ["agent register a --label k=a --label l=b --label k=c", "--label", `got "a" and "c" for "k"`],
    ["agent register a --metadata [1]", "--metadata", "must be a JSON object"],
    ["agent register a --metadata @/no/such/file", "--metadata", "cannot be read: no such file or directory"],
    ["agent list --limit 0", "--limit", "must be a whole number from 1 to 1000000"],
    ["agent list --state idle,actve", "--state", "did you mean active?"],
    ["agent list --url ftp://x", "--url", "must be an http or https URL"],
    ["agent list --url http://x:1/y?z=1#w", "--url", `must end before "?z=1"`],
    ["agent list --url http://x:1/#w", "--url", `must end before "#w"`],
    ["state get a --namespace a/b", "--namespace", "must be 1 to 128 characters"],
    [
      "state wait a idle active --fail-on error,ACTIVE,idle",
      "--fail-on",
      "must not name what <state> names: idle, active",
    ],
    ["state wait a idle nope", "<state>", `got "nope"`],
    ["session list --status endd", "--status", "must be one of started"],
    ["state set a idle --if-revision 9223372036854775808", "--if-revision", "must be a whole number"],
  ])("%s", async (line, name, description) => {
    const { code, stderr } = await usage(line);
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^ {2}${name} {2}`, "m"));
    expect(stderr).toContain(description);
  });

  it("from the environment are named by their variable", async () => {
    const { code, stderr } = await usage("agent list", { env: { OPSCORE_URL: "nowhere" } });
    expect(code).toBe(2);
    expect(stderr).toContain(`  OPSCORE_URL  must be an http or https URL`);
    const query = await usage("agent list", { env: { OPSCORE_URL: "http://x/?y" } });
    expect(query.stderr).toContain(`  OPSCORE_URL  must end before "?y"`);
  });

  it("that are secret are not repeated", async () => {
    const withPassword = await usage("agent list --url http://me:my-secret@x:1");
    expect(withPassword.code).toBe(2);
    expect(withPassword.stderr).toContain("--url  must not hold a user or a password");
    expect(withPassword.stderr).not.toContain("my-secret");
    const { code, stderr } = await opscore(["agent", "list", "--api-key", "my secret"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--api-key  must be 1 to 512 visible ASCII characters");
    expect(stderr).not.toContain("my secret");
  });

  it("are a JSON document with --json", async () => {
    const { code, stdout, stderr } = await usage("agent list --limit none --json");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: {
        message: "a value cannot be used",
        exitCode: 2,
        problems: [{ name: "--limit", description: `must be a whole number from 1 to 1000000, got "none"` }],
        hints: [],
      },
    });
  });
});
