/** The header block of a request as Node gives it: names in lower case, repeated fields joined. */
import type { IncomingHttpHeaders } from "node:http2";
import type { HeaderField } from "./hpack/index.js";

/** What a request may bring, in bytes as HPACK counts them, and in fields. */
export const MAX_LIST_BYTES = 16 * 1024;
const MAX_FIELDS = 128;

const NAME = /^:?[a-z0-9!#$%&'*+\-.^_`|~]+$/;
const AUTHORITY = /^[a-zA-Z0-9!$%&'()*+,\-.:;=@[\]_~]+$/;
/** White space around it is none of it. */
const VALUE = /^(?![\t ])[\t\x20-\x7e\x80-\xff]*(?<![\t ])$/;
const METHOD = /^[a-zA-Z0-9!#$%&'*+\-.^_`|~]+$/;
const SCHEME = /^[a-zA-Z][a-zA-Z0-9+\-.]*$/;
const PATH = /^[\x21-\x7e\x80-\xff]+$/;
const ALLOWED = 1;
const FORBIDDEN = 2;
const PSEUDO: ReadonlyMap<string, RegExp> = new Map([
  [":method", METHOD],
  [":scheme", SCHEME],
  [":authority", AUTHORITY],
  [":path", PATH],
]);
/** What belongs to an HTTP/1.1 connection (RFC 9113 §8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
/** Of these the first one counts, as in Node. */
const SINGLE: ReadonlySet<string> = new Set(
  (
    "access-control-max-age access-control-request-method age authorization content-encoding content-language content-length " +
    "content-location content-md5 content-range content-type date dnt etag expires from host if-match if-modified-since " +
    "if-none-match if-range if-unmodified-since last-modified location max-forwards proxy-authorization range referer " +
    "retry-after tk upgrade-insecure-requests user-agent x-content-type-options"
  ).split(" "),
);

type Bag = Record<string, string | string[] | undefined>;

/** An object without a prototype to inherit names from, which engines still lay out like a record. */
const EmptyBag = function (): void {
  // It has no fields of its own.
} as unknown as new () => Bag;
EmptyBag.prototype = Object.create(null) as object;

/** Collects the fields of one block. */
export class IncomingHeaders {
  readonly headers: Bag & IncomingHttpHeaders = new EmptyBag();
  private bytes = 0;
  private fields = 0;
  private pseudo = false;
  private regular = false;
  private malformed = false;

  add(field: HeaderField): void {
    this.bytes += field.size;
    this.fields += 1;
    if (this.isTooLarge || this.malformed) return;
    if (field.checked === 0) field.checked = isAllowed(field) ? ALLOWED : FORBIDDEN;
    if (field.checked === FORBIDDEN) this.malformed = true;
    else this.put(field);
  }

  /** More than a request may bring. */
  get isTooLarge(): boolean {
    return this.bytes > MAX_LIST_BYTES || this.fields > MAX_FIELDS;
  }

  /** Whether it is a request at all (RFC 9113 §8.3.1). */
  get isRequest(): boolean {
    const { headers } = this;
    if (this.malformed || headers[":method"] === undefined) return false;
    if (headers[":method"] === "CONNECT") return headers[":authority"] !== undefined;
    const path = headers[":path"];
    if (headers[":scheme"] === undefined || path === undefined) return false;
    return path.startsWith("/") || (path === "*" && headers[":method"] === "OPTIONS");
  }

  /** Whether it can come after a request (RFC 9113 §8.1). */
  get isTrailers(): boolean {
    return !this.malformed && !this.pseudo;
  }

  private put({ name, value }: HeaderField): void {
    const { headers } = this;
    const present = headers[name];
    if (name.startsWith(":")) {
      if (this.regular || present !== undefined) this.malformed = true;
      else headers[name] = value;
      this.pseudo = true;
      return;
    }
    this.regular = true;
    // Whoever forwards the request might believe the other one.
    if (name === "content-length" && present !== undefined) this.malformed = true;
    if (name === "set-cookie") headers[name] = [...(Array.isArray(present) ? present : []), value];
    else if (present === undefined) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] = `${String(present)}${name === "cookie" ? "; " : ", "}${value}`;
  }
}

function isAllowed({ name, value }: HeaderField): boolean {
  if (!NAME.test(name) || !VALUE.test(value)) return false;
  if (name.startsWith(":")) return PSEUDO.get(name)?.test(value) === true;
  if (name === "host") return AUTHORITY.test(value);
  if (name === "content-length") return /^\d+$/.test(value);
  if (name === "te") return value === "trailers";
  return !CONNECTION_FIELDS.has(name);
}
