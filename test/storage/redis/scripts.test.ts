import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { KEY_NAMES } from "../../../src/storage/redis/keys.js";
import { REDIS_STORAGE_DEFAULTS } from "../../../src/storage/redis/index.js";
import { composeScripts, SCRIPT_NAMES } from "../../../src/storage/redis/scripts.js";

const LUA = new URL("../../../src/storage/redis/lua/", import.meta.url);
const files = readdirSync(LUA).filter((name) => name.endsWith(".lua"));
const includes = readdirSync(new URL("includes/", LUA));
const readFile = (path: string) => readFileSync(new URL(path, LUA), "utf8");

describe("scripts", () => {
  const scripts = composeScripts(REDIS_STORAGE_DEFAULTS, 16);

  it("are the files in the folder", () => {
    expect(files.map((name) => name.replace(".lua", "")).sort()).toEqual([...SCRIPT_NAMES].sort());
  });

  it.each(files)("%s says what its KEYS, ARGV and result are", (file) => {
    const [header = ""] = readFile(file).split("\n\n");
    for (const word of ["KEYS", "ARGV", "result"]) expect(header).toMatch(new RegExp(`^-- ${word}`, "m"));
  });

  it.each(includes)("includes/%s is wanted by somebody and says what it is", (file) => {
    const name = file.replace(".lua", "");
    const all = [...files.map(readFile), ...includes.map((include) => readFile(`includes/${include}`))];
    expect(all.some((source) => source.includes(`-- @include ${name}\n`))).toBe(true);
    expect(readFile(`includes/${file}`)).toMatch(/^-- [A-Z]/);
  });

  it.each(SCRIPT_NAMES)("%s has each include once, before what needs it", (name) => {
    const source = scripts.get(name)?.source ?? "";
    const wanted = [...source.matchAll(/^-- ([a-z-]+)$/gm)].map(([, part = ""]) => part);
    expect(new Set(wanted).size).toBe(wanted.length);
    expect(wanted[0]).toBe("time");
    expect(wanted.at(-1)).toBe(name);
  });

  it("carry the tables of the state machine", () => {
    const source = scripts.get("apply-turn")?.source;
    expect(source).toContain("[6] = {  }");
    expect(source).toContain("local TERMINAL = { [6] = true }");
    expect(source).toContain("local SESSION_ENDS = { [4] = true, [5] = true, [6] = true }");
  });

  it("use no key name that the table of keys does not have", () => {
    for (const { source } of scripts.values()) {
      for (const [, name = ""] of source.matchAll(/NAMES\.([A-Za-z]+)/g))
        expect(Object.keys(KEY_NAMES)).toContain(name);
    }
  });

  it("use no setting that they are not given", () => {
    const { source } = scripts.get("apply-turn") ?? { source: "" };
    const given = /^local SETTINGS = \{(.*)\}$/m.exec(source)?.[1] ?? "";
    for (const { source: each } of scripts.values()) {
      for (const [, name = ""] of each.matchAll(/SETTINGS\.([a-z_]+)/g)) expect(given).toContain(`${name} =`);
    }
  });

  it("cut a small log exactly, and a large one in whole nodes", () => {
    const small = composeScripts({ ...REDIS_STORAGE_DEFAULTS, logCapacity: 100 }, 16).get("apply-turn")?.source;
    expect(small).toContain('log_trim = "=", log_capacity = 7');
    expect(scripts.get("apply-turn")?.source).toContain('log_trim = "~", log_capacity = 6250');
  });
});
