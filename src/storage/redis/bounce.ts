/**
 * Replies that say that a command was not executed, for a reason that goes by: it may be sent again without being done twice.
 * Whatever else fails may have been done.
 */
import { OpsCoreError } from "../../errors/index.js";
import type { RedisAddress } from "./target.js";

export type Bounce =
  /** Redis does not know the script: it must be sent along. */
  | { readonly kind: "unknown-script" }
  /** It came too late by Redis's clock, which shows this, in milliseconds. */
  | { readonly kind: "late"; readonly redisMs: number }
  /** The slot is at another node. Undefined: it does not say which. */
  | { readonly kind: "moved"; readonly to: RedisAddress | undefined }
  /** The server is not the primary any more. */
  | { readonly kind: "demoted" }
  /** The slot is on its way to another node. */
  | { readonly kind: "moving" }
  /** Too much of the cluster is away. */
  | { readonly kind: "down" };

const MOVING = /^(ASK|TRYAGAIN) /;

/** Reads a failure as a bounce, also what a command has failed for in the end; undefined for any other. */
export function bounceOf(thrown: unknown): Bounce | undefined {
  if (thrown instanceof OpsCoreError) return bounceOf(thrown.cause);
  if (!(thrown instanceof Error) || thrown.name !== "ReplyError") return undefined;
  const { message } = thrown;
  if (message.startsWith("NOSCRIPT")) return { kind: "unknown-script" };
  if (message.startsWith("READONLY")) return { kind: "demoted" };
  if (message.startsWith("CLUSTERDOWN")) return { kind: "down" };
  if (MOVING.test(message)) return { kind: "moving" };
  const late = /^LATE (\d+)/.exec(message);
  if (late !== null) return { kind: "late", redisMs: Number(late[1]) };
  const moved = /^MOVED \d+ (\S*):(\d+)/.exec(message);
  if (moved === null) return undefined;
  const [, host = "", port = ""] = moved;
  return { kind: "moved", to: host === "" ? undefined : { host, port: Number(port) } };
}
