import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../helpers/repository.js";
import { runToEnd } from "../helpers/run.js";
import { opscore, start } from "./harness.js";

const STORY = [/SYNCED/, /REGISTERED +demo-agent +UNKNOWN/, /UNKNOWN → IDLE/, /IDLE → ACTIVE/, /ACTIVE → IDLE/];

/** Whether the lines tell the story, each chapter once and in order. */
function chapters(text: string): readonly number[] {
  return text.split("\n").flatMap((line) => STORY.flatMap((chapter, i) => (chapter.test(line) ? [i] : [])));
}

it("in a pipe one agent goes through its states, and the demo ends by itself", async () => {
  const { code, stdout, stderr } = await opscore(["demo"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [story = ""] = stdout.split("That was all of it");
  expect(chapters(story)).toEqual([0, 1, 2, 3, 4]);
  expect(stdout).toMatch(/server {3}listening on http:\/\/127\.0\.0\.1:\d+/);
  expect(stdout).toContain("REGISTERED, then UNKNOWN → IDLE → ACTIVE → IDLE");
});

it("the built command does the same", async () => {
  const { code, stdout, stderr } = await runToEnd(process.execPath, [join(root, "dist/src/cli/main.js"), "demo"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(chapters(stdout.split("That was all of it")[0] ?? "")).toEqual([0, 1, 2, 3, 4]);
});

it("does not care what the environment says of servers", async () => {
  const env = { OPSCORE_API_KEY: "key", OPSCORE_PORT: "1", OPSCORE_URL: "http://127.0.0.1:1" };
  expect((await opscore(["demo"], { env })).code).toBe(0);
});

it("on a terminal it goes on until Ctrl-C, and gives the terminal back", async () => {
  const demo = start(["demo"], { tty: true });
  await demo.stdout.seen(/REGISTERED[^\n]*researcher/);
  expect(demo.stdout.text).toContain("\x1b[?1049h");
  expect(demo.stdout.text).not.toContain("\x1b[?1049l");
  expect(await demo.stop()).toBe(0);
  const [, after = ""] = demo.stdout.text.split("\x1b[?25h\x1b[?1049l");
  expect(after).toContain("three agents at work");
  expect(after).toContain("researcher");
  expect(demo.stdout.listeners).toBe(0);
});

it("on a terminal the short one can be had too", async () => {
  const { code, stdout } = await opscore(["demo", "--plain"], { tty: true, env: { NO_COLOR: "1" } });
  expect(code).toBe(0);
  expect(stdout).not.toContain("\x1b");
  expect(chapters(stdout.split("That was all of it")[0] ?? "")).toEqual([0, 1, 2, 3, 4]);
});

it("a workflow runs over four agents, each task after those that it waits for, and the demo ends with it", async () => {
  const { code, stdout, stderr } = await opscore(["demo", "--workflow"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const place = (pattern: RegExp) => stdout.split("\n").findIndex((line) => pattern.test(line));
  for (const task of ["search-web", "search-archive", "summarize", "check"]) {
    for (const step of ["READY → LEASED", "LEASED → COMPLETED"]) {
      expect(place(new RegExp(` ${task} +${step}`)), `${task} ${step}`).toBeGreaterThanOrEqual(0);
    }
  }
  expect(place(/summarize +PENDING → READY/)).toBeGreaterThan(place(/search-web +LEASED → COMPLETED/));
  expect(place(/summarize +PENDING → READY/)).toBeGreaterThan(place(/search-archive +LEASED → COMPLETED/));
  expect(place(/check +PENDING → READY/)).toBeGreaterThan(place(/summarize +LEASED → COMPLETED/));
  expect(stdout).toContain("The session is COMPLETED");
});

it("a workflow that is interrupted ends at once", async () => {
  const demo = start(["demo", "--workflow"], { tty: true });
  await demo.stdout.seen("LEASED");
  expect(await demo.stop()).toBe(130);
});
