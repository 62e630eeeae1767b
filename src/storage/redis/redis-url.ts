/**
 * Redis URLs:
 *
 *     redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]
 *     redis-sentinel://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]]…/MASTER[/DATABASE][?sentinel_user=…&sentinel_password=…]
 *     redis-cluster://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]]…
 *
 * `rediss`, `rediss-sentinel` and `rediss-cluster` are the same over TLS. User, password and master name are percent-encoded.
 */
import type { RedisAddress, RedisTarget, RedisTls, RedisUser } from "./target.js";

/** A Redis URL that cannot be used. Its message says which part is wrong and repeats nothing of it: there is a password in it. */
export class RedisUrlError extends Error {
  override readonly name = "RedisUrlError";
}

/** What a URL does not say, or what is better kept out of it. */
export interface RedisUrlExtras {
  /** Used with a `rediss` URL, refused with another. */
  readonly tls?: RedisTls;
  /** Where the URL names nobody. */
  readonly user?: RedisUser;
  /** Where the URL names nobody; used with Sentinels only. */
  readonly sentinelUser?: RedisUser;
}

type Kind = RedisTarget["kind"];

const SCHEMES: ReadonlyMap<string, { readonly kind: Kind; readonly isSecure: boolean }> = new Map([
  ["redis", { kind: "standalone", isSecure: false }],
  ["rediss", { kind: "standalone", isSecure: true }],
  ["redis-sentinel", { kind: "sentinel", isSecure: false }],
  ["rediss-sentinel", { kind: "sentinel", isSecure: true }],
  ["redis-cluster", { kind: "cluster", isSecure: false }],
  ["rediss-cluster", { kind: "cluster", isSecure: true }],
]);

const DEFAULT_PORTS: Readonly<Record<Kind, number>> = { standalone: 6379, sentinel: 26379, cluster: 6379 };

const URL_PARTS = /^([a-z-]+):\/\/([^/?#]*)((?:\/[^?#]*)?)(?:\?([^#]*))?$/;
const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;
const MAX_DATABASE = 65_535;
const MAX_PORT = 65_535;

/**
 * Reads a Redis URL.
 *
 * @throws RedisUrlError that names the part that is wrong
 */
export function parseRedisUrl(url: string, extras: RedisUrlExtras = {}): RedisTarget {
  const [, name = "", authority = "", path = "", query = ""] = URL_PARTS.exec(url) ?? [];
  const scheme = SCHEMES.get(name);
  if (scheme === undefined) {
    throw new RedisUrlError(`a Redis URL begins with ${[...SCHEMES.keys()].map((each) => `${each}://`).join(", ")}`);
  }
  if (path.includes("@") || query.includes("@")) {
    throw new RedisUrlError("/, ? and # in the user or password must be percent-encoded");
  }
  const at = authority.lastIndexOf("@");
  const user = at === -1 ? extras.user : parseUser(authority.slice(0, at));
  const { kind, isSecure } = scheme;
  if (!isSecure && extras.tls !== undefined) {
    throw new RedisUrlError(
      `there are settings for TLS, so the URL must begin with ${name.replace("redis", "rediss")}://`,
    );
  }
  const tls: { tls?: RedisTls } = isSecure ? { tls: extras.tls ?? {} } : {};
  const common = { ...user, ...tls };
  const addresses = authority
    .slice(at + 1)
    .split(",")
    .map((text, index) => parseAddress(text, index + 1, DEFAULT_PORTS[kind]));
  const segments = path.split("/").slice(1);
  const parameters = new URLSearchParams(query);
  switch (kind) {
    case "standalone": {
      const [address, ...others] = addresses;
      if (address === undefined || others.length > 0) {
        throw new RedisUrlError("one host is wanted; several are for redis-sentinel:// and redis-cluster://");
      }
      const [database, ...rest] = segments;
      refuseRest(rest, parameters, []);
      return { kind, address, ...parseDatabase(database), ...common };
    }
    case "sentinel": {
      const [master = "", database, ...rest] = segments;
      refuseRest(rest, parameters, ["sentinel_user", "sentinel_password"]);
      const masterName = decode(master, "the name of the master");
      if (masterName === "") throw new RedisUrlError("the name of the master is missing: …://HOST:PORT/MASTER");
      const sentinelUser = parseSentinelUser(parameters) ?? extras.sentinelUser;
      return {
        kind,
        sentinels: addresses,
        masterName,
        ...(sentinelUser === undefined ? {} : { sentinelUser }),
        ...parseDatabase(database),
        ...common,
      };
    }
    case "cluster": {
      if (segments.some((segment) => segment !== "" && segment !== "0")) {
        throw new RedisUrlError("a Redis Cluster has no databases: nothing may stand behind the hosts");
      }
      refuseRest([], parameters, []);
      return { kind, seeds: addresses, ...common };
    }
  }
}

function parseUser(text: string): RedisUser {
  const colon = text.indexOf(":");
  const username = decode(colon === -1 ? text : text.slice(0, colon), "the user");
  const password = colon === -1 ? "" : decode(text.slice(colon + 1), "the password");
  if (password === "") throw new RedisUrlError("the password is missing: …://USER:PASSWORD@HOST, or :PASSWORD@HOST");
  return username === "" ? { password } : { username, password };
}

function parseSentinelUser(parameters: URLSearchParams): RedisUser | undefined {
  const username = parameters.get("sentinel_user");
  const password = parameters.get("sentinel_password");
  if (password === null || password === "") {
    if (username !== null) throw new RedisUrlError("sentinel_user is given, and sentinel_password is not");
    return undefined;
  }
  return username === null || username === "" ? { password } : { username, password };
}

function parseAddress(text: string, place: number, defaultPort: number): RedisAddress {
  const [whole, ipv6, name, digits] = HOST_AND_PORT.exec(text) ?? [];
  const host = ipv6 ?? name;
  if (whole === undefined || host === undefined) {
    throw new RedisUrlError(`host ${place} is not of the form HOST or HOST:PORT`);
  }
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port < 1 || port > MAX_PORT)
    throw new RedisUrlError(`the port of host ${place} is not between 1 and ${MAX_PORT}`);
  return { host, port };
}

function parseDatabase(text: string | undefined): { database?: number } {
  if (text === undefined || text === "") return {};
  if (!/^\d{1,5}$/.test(text) || Number(text) > MAX_DATABASE) {
    throw new RedisUrlError(`the database is not a number between 0 and ${MAX_DATABASE}`);
  }
  return { database: Number(text) };
}

function refuseRest(segments: readonly string[], parameters: URLSearchParams, known: readonly string[]): void {
  if (segments.some((segment) => segment !== "")) throw new RedisUrlError("the path has too many parts");
  const unknown = [...parameters.keys()].findIndex((key) => !known.includes(key));
  if (unknown !== -1) {
    const allowed = known.length === 0 ? "none is known here" : `known are ${known.join(" and ")}`;
    throw new RedisUrlError(`parameter ${unknown + 1} behind the ? is not known: ${allowed}`);
  }
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RedisUrlError(`${what} is not percent-encoded as it must be: a % stands for itself as %25`);
  }
}
