import { describe, expect, it } from "vitest";
import { SETTINGS } from "../../src/config/index.js";
import { opscore } from "./harness.js";

interface Printed {
  readonly settings: readonly { readonly name: string; readonly [fact: string]: unknown }[];
}

async function printed(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Printed> {
  const { code, stdout } = await opscore(["config", "--json", ...argv], { env });
  expect(code).toBe(0);
  return JSON.parse(stdout) as Printed;
}

describe("opscore config", () => {
  it("shows every setting of the table, in its order", async () => {
    const { settings } = await printed([]);
    expect(settings.map(({ name }) => name)).toEqual(Object.keys(SETTINGS));
  });

  it("says where each value comes from; the option wins", async () => {
    const env = { OPSCORE_PORT: "9000", LOG_LEVEL: "warn", OPSCORE_HOST: "" };
    const { settings } = await printed(["--port", "9001", "--insecure"], env);
    const found = new Map(settings.map((setting) => [setting.name, setting]));
    expect(found.get("port")).toMatchObject({ value: "9001", source: "flag", default: "8080", env: "OPSCORE_PORT" });
    expect(found.get("logLevel")).toMatchObject({ value: "warn", source: "environment" });
    expect(found.get("host")).toMatchObject({ value: "127.0.0.1", source: "default", flag: "--host" });
    expect(found.get("insecure")).toMatchObject({ value: "true", source: "flag" });
  });

  it("takes a switch with its value too", async () => {
    const { settings } = await printed(["--insecure", "false"], { OPSCORE_INSECURE: "true" });
    expect(settings).toContainEqual(expect.objectContaining({ name: "insecure", value: "false", source: "flag" }));
  });

  it("is a table for people", async () => {
    const { stdout } = await opscore(["config"], { env: { OPSCORE_PORT: "9000" } });
    expect(stdout).toMatch(/^SETTING +VALUE +FROM +DEFAULT$/m);
    expect(stdout).toMatch(/^OPSCORE_PORT +9000 +environment {2}8080$/m);
    expect(stdout).toMatch(/^OPSCORE_API_KEY +not set +default$/m);
  });

  it("hides secrets", async () => {
    for (const argv of [["config"], ["config", "--json"]]) {
      const { stdout } = await opscore(argv, { env: { OPSCORE_API_KEY: "top-secret" } });
      expect(stdout).not.toContain("top-secret");
      expect(stdout).toContain("********");
    }
  });

  it.each(["config", "serve"])("and serve refuse the same things, all at once (%s)", async (command) => {
    const argv = [command, "--log-level", "loud"];
    const { code, stdout, stderr } = await opscore(argv, { env: { OPSCORE_PORT: "eighty", OPSCORE_PROT: "80" } });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("error: 3 values cannot be used");
    expect(stderr).toMatch(/^ {2}OPSCORE_PROT {2}is not a setting; did you mean OPSCORE_PORT\?$/m);
    expect(stderr).toMatch(/^ {2}OPSCORE_PORT {2}must be a whole number from 0 to 65535, got "eighty"$/m);
    expect(stderr).toMatch(/^ {2}--log-level {3}must be one of /m);
  });

  it("has an option for every setting, with its variable and its default", async () => {
    const { stdout } = await opscore(["serve", "--help"]);
    const text = stdout.replace(/\s+/g, " ");
    for (const { flag, env } of Object.values(SETTINGS)) {
      expect(text).toContain(`--${flag} `);
      expect(text).toContain(`env: ${env})`);
    }
  });
});
