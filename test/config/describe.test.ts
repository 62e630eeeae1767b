import { expect, it } from "vitest";
import { describeConfig, HIDDEN, loadConfig, SETTINGS } from "../../src/config/index.js";

it("shows every setting with its value and its default", () => {
  const rows = describeConfig(loadConfig({ env: { OPSCORE_PORT: "9000", OPSCORE_DRAIN_TIMEOUT: "90000ms" } }));
  expect(rows.map(({ key }) => key)).toEqual(Object.keys(SETTINGS));
  expect(rows.find(({ env }) => env === "OPSCORE_PORT")).toMatchObject({
    flag: "--port",
    value: "9000",
    defaultValue: "8080",
  });
  expect(rows.find(({ env }) => env === "OPSCORE_DRAIN_TIMEOUT")).toMatchObject({ value: "90s", defaultValue: "10s" });
  expect(rows.find(({ env }) => env === "OPSCORE_MAX_REQUEST_BYTES")).toMatchObject({ value: "4MiB" });
});

it("hides secrets, and shows whether they are set", () => {
  const value = (env: Record<string, string>): string | undefined =>
    describeConfig(loadConfig({ env })).find(({ secret }) => secret)?.value;
  expect(value({ OPSCORE_API_KEY: "k3y" })).toBe(HIDDEN);
  expect(value({})).toBe("");
});
