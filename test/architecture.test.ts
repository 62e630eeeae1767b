/** The rules that keep the parts apart, held against every file. docs/architecture.md says what the parts are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { root } from "./helpers/repository.js";
import { placeOf, sourceFiles, visit, type SourceFile } from "./helpers/source-graph.js";

/** From top to bottom: a part imports only itself and parts below it. */
const PARTS = [
  "cli",
  "testing",
  "server",
  "dashboard",
  "transport",
  "interceptors",
  "services",
  "watch",
  "storage",
  "index",
  "client",
  "errors",
  "config",
  "lib",
  "gen",
];

/** What the order alone would allow. */
const NEVER: readonly (readonly [from: RegExp, to: RegExp, why: string])[] = [
  [/^src\/(storage|watch|config)\//, /^gen\//, "the domain does not know the wire"],
  [
    /^src\/(?!cli\/|testing\/|index|client\/|dashboard\/page\/)/,
    /^src\/(client|index)\b/,
    "a server is no client of itself",
  ],
  [/^src\/(?!dashboard\/page\/)/, /^src\/dashboard\/page\//, "what a browser runs is run by browsers"],
  [
    /^src\/dashboard\/page\//,
    /^src\/(server|dashboard\/(?!page\/)|transport|interceptors|services|watch|storage|config)\b/,
    "a browser has no server",
  ],
  [/^src\/(client\/|index)/, /^src\/config\//, "a client has no server settings"],
  [/^src\/(?!index)/, /^src\/index\.ts$/, "index.ts is for those outside"],
  [/^(src|gen)\//, /^(test|bench|examples|docs)\//, "what is shipped does not need what is not"],
];

const MAX_LINES = 320;

const source = sourceFiles("src/*.ts", "src/*.tsx", "gen/*.ts");
const own = [...source.values()].filter(({ path }) => path.startsWith("src/"));
const tests = [...sourceFiles("test/*.ts").values()];

function partOf(path: string): string {
  const [top = "", next = ""] = path.split("/");
  return top === "src" ? next.replace(/\.ts$/, "") : top;
}

function rankOf(path: string): number {
  const rank = PARTS.indexOf(partOf(path));
  if (rank === -1) throw new Error(`${path} belongs to no part: give it a place in the order`);
  return rank;
}

/** Everything that `path` reaches, itself included, with the way there. */
function reach(path: string, next: (file: SourceFile) => readonly string[]): ReadonlyMap<string, readonly string[]> {
  const ways = new Map<string, readonly string[]>([[path, [path]]]);
  for (const [from, way] of ways) {
    const file = source.get(from);
    for (const to of file === undefined ? [] : next(file)) if (!ways.has(to)) ways.set(to, [...way, to]);
  }
  return ways;
}

describe("imports", () => {
  it("point downward", () => {
    const upward = own.flatMap(({ path, files }) =>
      files.filter((to) => rankOf(to) < rankOf(path)).map((to) => `${path} → ${to}`),
    );
    expect(upward).toEqual([]);
  });

  it("stay out of where they have no business", () => {
    const trespasses = [...source.values()].flatMap(({ path, files }) =>
      files.flatMap((to) =>
        NEVER.filter(([from, target]) => from.test(path) && target.test(to)).map(
          ([, , why]) => `${path} → ${to}: ${why}`,
        ),
      ),
    );
    expect(trespasses).toEqual([]);
  });

  it("make no circle of files that load each other", () => {
    const circles = own.flatMap(({ path, loads }) =>
      loads.map((to) => reach(to, (file) => file.loads).get(path)).filter((way) => way !== undefined),
    );
    expect(circles).toEqual([]);
  });

  it("keep everything of the server away from the client, its types too", () => {
    const allowed = new Set(["index", "client", "errors", "lib", "gen"]);
    const foreign = ["src/index.ts", "src/client/index.ts"]
      .flatMap((entry) => [...reach(entry, (file) => file.files)])
      .filter(([path]) => !allowed.has(partOf(path)))
      .map(([, way]) => way.join(" → "));
    expect(foreign).toEqual([]);
  });

  it("name packages that are installed with this one, and every one of those", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly dependencies: Readonly<Record<string, string>>;
      readonly devDependencies: Readonly<Record<string, string>>;
    };
    const isPage = ({ path }: SourceFile) => path.startsWith("src/dashboard/page/");
    const packagesOf = (files: readonly SourceFile[]) => new Set(files.flatMap(({ packages }) => packages));
    const used = packagesOf([...source.values()].filter((file) => !isPage(file)));
    expect([...used].sort()).toEqual(Object.keys(manifest.dependencies).sort());
    // The build puts what the page uses into the page.
    const built = { ...manifest.dependencies, ...manifest.devDependencies };
    expect([...packagesOf(own.filter(isPage))].filter((name) => !Object.hasOwn(built, name))).toEqual([]);
  });
});

describe("source files", () => {
  it(`have at most ${MAX_LINES} lines`, () => {
    const long = [...own, ...tests]
      .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });

  it("leave the process to the command line", () => {
    const touching = own
      .filter(({ path }) => partOf(path) !== "cli")
      .flatMap((file) => usesOfProcess(file).map((node) => placeOf(file, node)));
    expect(touching).toEqual([]);
  });

  it("are finished", () => {
    const marks = [...own, ...tests].flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, index) => (UNFINISHED.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
    expect(marks).toEqual([]);
  });
});

describe("tests", () => {
  it("all run", () => {
    expect(callsIn(tests, (call) => PARKED.test(call.expression.getText()))).toEqual([]);
  });

  it("wait for events, not for time to pass", () => {
    expect(callsIn(tests, isSleep)).toEqual([]);
    expect(tests.filter(({ text }) => SLEEPER.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

/** Words of a comment that promise something for later; put together, so that this file has none. */
const UNFINISHED = new RegExp(`(//|\\*).*\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`);
const PARKED = /^(it|test|describe|suite)\b.*\.(skip|only|todo|skipIf|runIf|fails)\b/;
/** An interval paces a load; nobody waits for it to be over. */
const SLEEPER = /import \{[^}]*\b(setTimeout|scheduler)\b[^}]*\} from "(node:)?timers\/promises"/;
const POLLING = /^(vi\.(waitFor|waitUntil)|expect\.poll)$/;

/** The global `process`, apart from nextTick, which schedules and tells nothing of the process. */
function usesOfProcess(file: SourceFile): readonly ts.Node[] {
  const uses: ts.Node[] = [];
  visit(file.ast, (node) => {
    if (ts.isStringLiteral(node) && /^(node:)?process$/.test(node.text)) uses.push(node);
    if (!ts.isIdentifier(node) || node.text !== "process") return;
    const { parent } = node;
    const named =
      (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
      (ts.isPropertyAssignment(parent) && parent.name === node) ||
      ts.isMethodDeclaration(parent);
    const schedules = ts.isPropertyAccessExpression(parent) && parent.name.text === "nextTick";
    if (!named && !schedules) uses.push(node);
  });
  return uses;
}

function callsIn(files: readonly SourceFile[], matches: (call: ts.CallExpression) => boolean): readonly string[] {
  return files.flatMap((file) => {
    const places: string[] = [];
    visit(file.ast, (node) => {
      if (ts.isCallExpression(node) && matches(node)) places.push(placeOf(file, node));
    });
    return places;
  });
}

/** Polling, or a timer that fulfils a promise: `new Promise((resolve) => setTimeout(resolve, 100))`. A timer that rejects is a limit. */
function isSleep(call: ts.CallExpression): boolean {
  const callee = call.expression.getText();
  if (POLLING.test(callee)) return true;
  if (!/^(globalThis\.)?setTimeout$/.test(callee)) return false;
  const [callback] = call.arguments;
  for (let node: ts.Node = call; callback !== undefined && !ts.isSourceFile(node); node = node.parent) {
    const resolve = resolverOf(node);
    if (resolve !== undefined) return new RegExp(`\\b${resolve}\\b`).test(callback.getText());
  }
  return false;
}

/** The name of `resolve`, when the node is the function given to `new Promise`. */
function resolverOf(node: ts.Node): string | undefined {
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return undefined;
  if (!ts.isNewExpression(node.parent) || node.parent.expression.getText() !== "Promise") return undefined;
  return node.parameters[0]?.name.getText();
}
