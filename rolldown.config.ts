/**
 * What is shipped, from the sources: a file for each way in, what is loaded only when it is wanted, and what these share. Loading a few
 * files takes less than half of the time of loading hundreds; most of the rest are Connect's, which is put in too. The other packages
 * are loaded where they are installed. `tsc` makes the types, file by file.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { defineConfig, type Plugin, type RolldownOptions } from "rolldown";

const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
};

/**
 * The packages that are put in. A program may have a copy of its own beside them: copies of Connect know each other's transports and
 * failures by their shape, and `test/package` holds them together. They stay dependencies for the types, and for those programs; a new
 * version of theirs arrives with a build of ours. protobuf-es is not put in, although it takes as long: what one version makes of a
 * definition is not fit for another, so a program must have one for all.
 */
const INLINED: readonly string[] = ["@connectrpc/connect", "@connectrpc/connect-node"];
/** The name of the package that a file is of. */
const PACKAGE = /[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/;
const installed = Object.keys(dependencies).filter((name) => !INLINED.includes(name));

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
  /[\\/](gen[\\/](opscore[\\/]v1[\\/](?!error_reason)|google[\\/]rpc[\\/]error_details|health)|src[\\/]errors)/;
/** What both the client and the server need of Connect. */
const CONNECT =
  /[\\/]@connectrpc[\\/]connect[\\/]dist[\\/]esm[\\/](connect-error|context-values|protocol[\\/]async-iterable)\.js/;

const shipped: RolldownOptions = {
  input: Object.fromEntries(entries.map((file) => [file.slice(0, -".ts".length), file])),
  external: new RegExp(`^(${installed.join("|")})(/|$)`),
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
        { name: "connect", test: CONNECT },
      ],
    },
    minifyInternalExports: false,
    banner: noticesOf,
    sourcemap: true,
    // The sources are shipped too.
    sourcemapExcludeSources: true,
  },
};

const PAGE = join("src", "dashboard", "page");
/** The page for browsers, with everything that it needs in one file. */
const page: RolldownOptions = {
  input: { app: join(PAGE, "main.tsx") },
  platform: "browser",
  tsconfig: join(PAGE, "tsconfig.json"),
  logLevel: "warn",
  // The transport of Node, which the client loads when it is given no other.
  external: /\/node-transport\.js$/,
  plugins: [copyOf(PAGE, ["index.html", "style.css", "icon.svg"])],
  output: {
    dir: join("dist", PAGE),
    format: "es",
    entryFileNames: "[name].js",
    minify: true,
    comments: { legal: true },
    banner: noticesOf,
  },
};

export default defineConfig([shipped, page]);

/** Puts files beside what is built, as they are. */
function copyOf(folder: string, names: readonly string[]): Plugin {
  return {
    name: "copy",
    generateBundle() {
      for (const fileName of names) {
        this.emitFile({ type: "asset", fileName, source: readFileSync(join(folder, fileName)) });
      }
    },
  };
}

/** For the packages whose code is in a file. */
function noticesOf({ moduleIds }: { readonly moduleIds: readonly string[] }): string {
  const names = moduleIds.map((id) => PACKAGE.exec(id)?.[1]).filter((name) => name !== undefined);
  return [...new Set(names)].sort().map(noticeOf).join("\n");
}

/** What the licences of a package that is put in ask for, and which version it is. */
function noticeOf(name: string): string {
  const folder = join("node_modules", name);
  const read = (path: string) => readFileSync(join(folder, path), "utf8");
  const { version, license, repository } = JSON.parse(read("package.json")) as {
    readonly version: string;
    readonly license: string;
    readonly repository: { readonly url: string };
  };
  // Where it stands depends on the licence.
  const places = [join("dist", "esm", "index.js"), "LICENSE"].filter((path) => existsSync(join(folder, path)));
  const copyright = /^(?:\/\/ )?(Copyright .*)$/m.exec(places.map(read).join("\n"));
  if (copyright?.[1] === undefined) throw new Error(`${name}: no copyright line`);
  return `/*! ${name} ${version} | ${copyright[1]} | ${license} | ${repository.url} */`;
}

function placeOf(source: string): string {
  return relative(".", source).replace(/\.ts$/, ".js");
}
