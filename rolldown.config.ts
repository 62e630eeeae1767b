/**
 * What is shipped, from the sources: a file for each way in, what is loaded only when it is wanted, and what these share. Loading a few
 * files takes a third less time than loading hundreds. The packages it depends on stay what they are: packages, installed beside it.
 * `tsc` makes the types, file by file.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { defineConfig } from "rolldown";

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};

/** What package.json exports, and the command. */
const entries = [
  "src/index.ts",
  "src/server.ts",
  "src/testing/index.ts",
  "src/cli/main.ts",
  ...readdirSync("gen", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join("gen", name)),
];
/** Reads the Lua files beside it. */
const LUA_READER = join("src", "storage", "redis", "scripts.ts");

/** What nearly everybody loads, the import of the client first of all: one file instead of ten. */
const COMMON =
  /[\\/](gen[\\/](opscore[\\/]v1[\\/](?!error_reason|webhook|workflow)|google[\\/]rpc[\\/]error_details)|src[\\/]errors)/;
/** What a server and few clients need of the rest. */
const RARE = /[\\/]gen[\\/](opscore[\\/]v1[\\/](webhook|workflow)|health)/;

export default defineConfig({
  input: Object.fromEntries(entries.map((file) => [file.slice(0, -".ts".length), file])),
  external: new RegExp(`^(${Object.keys(dependencies).join("|")})(/|$)`),
  platform: "node",
  tsconfig: "tsconfig.build.json",
  logLevel: "warn",
  output: {
    dir: "dist",
    format: "es",
    entryFileNames: "[name].js",
    /** What is loaded when it is wanted is where its source is; what several share is in `shared`. */
    chunkFileNames: ({ isDynamicEntry, facadeModuleId, moduleIds }) => {
      if (isDynamicEntry && facadeModuleId !== null) return placeOf(facadeModuleId);
      return moduleIds.some((id) => id.endsWith(sep + LUA_READER))
        ? "src/storage/redis/[name].js"
        : "src/shared/[name].js";
    },
    codeSplitting: {
      groups: [
        { name: "common", test: COMMON },
        { name: "rare", test: RARE },
      ],
    },
    minifyInternalExports: false,
    sourcemap: true,
    // The sources are shipped too.
    sourcemapExcludeSources: true,
  },
});

function placeOf(source: string): string {
  return relative(".", source).replace(/\.ts$/, ".js");
}
