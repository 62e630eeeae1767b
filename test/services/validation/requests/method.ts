/** What the tables of requests have in common: a method, and values that are wrong in many fields. */
import type { DescMessage } from "@bufbuild/protobuf";
import type { Harness } from "../../harness.js";

/** One method, and what is wrong with a request of it. */
export interface Method {
  readonly schema: DescMessage;
  readonly call: (h: Harness, request: object) => Promise<unknown>;
  /** Accepted, and whatever a bad field needs around it. */
  readonly base: object;
  /** Fields in which there is nothing to be wrong: booleans, and what is judged by its token's own rule. */
  readonly harmless?: readonly string[];
  /** The request's fields, each with bad values and the paths that are expected to be named. */
  readonly bad: Readonly<Record<string, readonly (readonly [value: object, ...paths: string[]])[]>>;
}

export type Methods = Readonly<Record<string, Method>>;

export const LONG = "x".repeat(129);
const TOO_LARGE = { text: "x".repeat(65_536) };
const nested = (depth: number): object => (depth === 1 ? {} : { in: nested(depth - 1) });

export const badIds = (name: string, path: string) =>
  ["white space", "slash/", "ünïcode", "new\nline", LONG].map((value) => [{ [name]: value }, path] as const);
export const badCounts = (name: string, path: string) =>
  [-1n, 2n ** 53n, 2n ** 63n - 1n].map((value) => [{ [name]: value }, path] as const);
export const badData = (name: string, path: string) =>
  [
    [{ [name]: TOO_LARGE }, path],
    [{ [name]: { a: [1, { b: NaN }] } }, `${path}["a"][1]["b"]`],
    [{ [name]: { a: Infinity } }, `${path}["a"]`],
    [{ [name]: nested(33) }, path + '["in"]'.repeat(32)],
    [{ [name]: JSON.parse('{"a":{"__proto__":{}}}') as object }, `${path}["a"]`],
  ] as const;
export const badRequestIds = [[{ requestId: LONG }, "request_id"]] as const;
export const badPageSizes = [
  [{ pageSize: -1 }, "page_size"],
  [{ pageSize: 1_001 }, "page_size"],
] as const;
export const badMasks = (known: string) =>
  [
    [{ updateMask: { paths: ["nonsense"] } }, "update_mask.paths[0]"],
    [{ updateMask: { paths: [known, "", "*"] } }, "update_mask.paths[1]", "update_mask.paths[2]"],
  ] as const;

export const badIdLists = (name: string, path: string) =>
  [
    [{ [name]: ["ok", "not ok", ""] }, `${path}[1]`, `${path}[2]`],
    [{ [name]: Array.from({ length: 10_001 }, (_, i) => `id-${i}`) }, path],
  ] as const;
export const badProgress = [{ nanos: 99_999_999 }, { seconds: 3_600n, nanos: 1 }, { seconds: -1n }].map(
  (progressInterval) => [{ progressInterval }, "progress_interval"] as const,
);

export const badDurations = (name: string, path: string, ...outside: readonly object[]) =>
  [...outside, { seconds: -1n }, { nanos: -1 }, { seconds: 2n ** 62n }].map(
    (value) => [{ [name]: value }, path] as const,
  );
export const badText = (name: string, path: string) =>
  [
    [{ [name]: "x".repeat(1_025) }, path],
    [{ [name]: "€".repeat(342) }, path],
  ] as const;

/** The first message of a stream. */
export async function first(stream: AsyncIterable<unknown>): Promise<unknown> {
  return (await stream[Symbol.asyncIterator]().next()).value;
}
