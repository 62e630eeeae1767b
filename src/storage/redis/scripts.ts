/**
 * The Lua scripts: one file for each atomic command, with what several need in `lua/includes`. A line `-- @include name` puts an
 * include, once, before the file that wants it. Names, settings and the tables of the state machine come from TypeScript, so that
 * nothing is said twice.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import { LEASE_ACTOR, SessionStatus, State, TaskStatus } from "../records.js";
import { isEnded, isTerminal, SESSION_TRANSITIONS, STATE_TRANSITIONS } from "../state-machine.js";
import { EXPIRED, isTaskEnded, JITTER_SHARE } from "../task-machine.js";
import { MAX_COLLECTED_BYTES } from "../tasks.js";
import { CLAIM_MEMORY_MS, REQUEST_MEMORY_MS } from "../storage.js";
import { KEY_NAMES } from "./keys.js";
import type { RedisStorageSettings } from "./options.js";

export const SCRIPT_NAMES = [
  "apply-turn",
  "register-agent",
  "update-agent",
  "deregister-agent",
  "withdraw-report",
  "sweep",
  "lose-agents",
  "start-session",
  "update-session",
  "lease-task",
  "renew-task",
  "complete-task",
  "fail-task",
  "cancel-task",
  "retry-task",
  "expire-tasks",
  "reserve-slot",
  "release-slot",
  "put-workflow",
  "delete-workflow",
  "list-page",
  "list-tasks",
  "read-heads",
  "read-history",
  "claim",
  "write-document",
  "delete-document",
  "list-documents",
] as const;
export type ScriptName = (typeof SCRIPT_NAMES)[number];

/** Those that commit nothing. */
export const READING_SCRIPTS: ReadonlySet<ScriptName> = new Set<ScriptName>([
  "list-page",
  "list-tasks",
  "list-documents",
  "read-heads",
  "read-history",
]);

export interface Script {
  readonly name: ScriptName;
  readonly source: string;
  /** What EVALSHA calls it by. */
  readonly sha: string;
}

export type Scripts = ReadonlyMap<ScriptName, Script>;

/** The layout of the keys and what is in them. A deployment with another one is refused. */
export const SCHEMA = 1;

/** A log of fewer entries in each partition is cut exactly; a longer one in whole nodes of the stream, which is cheaper. */
const EXACT_BELOW = 1_000;
/** How long keys that expire outlive the last moment at which somebody may want them, in milliseconds. */
const AFTERLIFE_MS = 60_000;

type ScriptLimits = Pick<
  RedisStorageSettings,
  | "logCapacity"
  | "historyLimit"
  | "historyAgeMs"
  | "maxHeldReportsPerAgent"
  | "maxTombstones"
  | "maxEndedSessions"
  | "maxRememberedRequests"
  | "waitReplicas"
>;

/** Puts the scripts together for a deployment with so many partitions. */
export function composeScripts(limits: ScriptLimits, partitions: number): Scripts {
  const header = makeHeader(limits, partitions);
  const compose = (name: ScriptName): Script => {
    const source = header + resolve(name, readLua(`${name}.lua`), new Set());
    return { name, source, sha: createHash("sha1").update(source).digest("hex") };
  };
  return new Map(SCRIPT_NAMES.map((name) => [name, compose(name)]));
}

/** Makes a server know the scripts. One that forgets them later is told again by those who call them. */
export async function loadScripts(client: Redis, scripts: Scripts): Promise<void> {
  const all = [...scripts.values()];
  const known: unknown = await client.script("EXISTS", ...all.map(({ sha }) => sha));
  const unknown = all.filter((_, index) => !Array.isArray(known) || known[index] !== 1);
  await Promise.all(unknown.map(({ source }) => client.script("LOAD", source)));
}

function makeHeader(limits: ScriptLimits, partitions: number): string {
  const share = (whole: number): number => Math.ceil(whole / partitions);
  const logCapacity = share(limits.logCapacity);
  const settings = {
    schema: String(SCHEMA),
    log_trim: logCapacity < EXACT_BELOW ? "=" : "~",
    log_capacity: logCapacity,
    history_limit: limits.historyLimit,
    history_age_ms: limits.historyAgeMs,
    held_limit: limits.maxHeldReportsPerAgent,
    afterlife_ms: AFTERLIFE_MS,
    removed_limit: share(limits.maxTombstones),
    ended_limit: share(limits.maxEndedSessions),
    confirmed: limits.waitReplicas > 0 ? 1 : 0,
    request_limit: share(limits.maxRememberedRequests),
    request_memory_ms: REQUEST_MEMORY_MS,
    claim_memory_ms: CLAIM_MEMORY_MS,
    lease_actor: JSON.stringify(LEASE_ACTOR),
    jitter_share: JITTER_SHARE,
    collected_bytes: MAX_COLLECTED_BYTES,
    timed_out_reason: JSON.stringify(EXPIRED.attempt.reason),
    timed_out_error: JSON.stringify(EXPIRED.attempt.error),
    lease_expired_reason: JSON.stringify(EXPIRED.lease.reason),
    lease_expired_error: JSON.stringify(EXPIRED.lease.error),
  };
  const states = Object.values(State);
  const statuses = Object.values(SessionStatus);
  return [
    `local NAMES = ${luaTable(KEY_NAMES)}`,
    `local SETTINGS = ${luaTable(settings)}`,
    `local TRANSITIONS = ${luaMatrix(STATE_TRANSITIONS)}`,
    `local TERMINAL = ${luaSet(states.filter(isTerminal))}`,
    `local SESSION_TRANSITIONS = ${luaMatrix(SESSION_TRANSITIONS)}`,
    `local SESSION_ENDS = ${luaSet(statuses.filter(isEnded))}`,
    `local SESSION = ${luaTable(SessionStatus)}`,
    `local TASK = ${luaTable(TaskStatus)}`,
    `local TASK_ENDS = ${luaSet(Object.values(TaskStatus).filter(isTaskEnded))}`,
    "",
  ].join("\n");
}

const INCLUDE = /^-- @include ([a-z-]+)$/gm;

function resolve(name: string, source: string, seen: Set<string>): string {
  const parts: string[] = [];
  for (const [, include = ""] of source.matchAll(INCLUDE)) {
    if (seen.has(include)) continue;
    seen.add(include);
    parts.push(resolve(include, readLua(`includes/${include}.lua`), seen));
  }
  return `${parts.join("")}-- ${name}\n${withoutComments(source)}`;
}

/** Scripts are sent over the network and kept by Redis: comments are for readers of the files. */
function withoutComments(source: string): string {
  return source.replaceAll(/^\s*--.*\n/gm, "").replaceAll(/^\s*\n/gm, "");
}

function readLua(path: string): string {
  return readFileSync(new URL(`./lua/${path}`, import.meta.url), "utf8");
}

function luaTable(entries: Readonly<Record<string, string | number>>): string {
  const fields = Object.entries(entries).map(([name, value]) => `${name} = ${luaValue(value)}`);
  return `{ ${fields.join(", ")} }`;
}

function luaValue(value: string | number): string {
  // JSON's escapes of what stands in these texts are Lua's as well.
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

function luaSet(members: readonly number[]): string {
  return `{ ${members.map((member) => `[${member}] = true`).join(", ")} }`;
}

function luaMatrix(rows: Readonly<Record<number, readonly number[]>>): string {
  return `{ ${Object.entries(rows)
    .map(([row, members]) => `[${row}] = ${luaSet(members)}`)
    .join(", ")} }`;
}
