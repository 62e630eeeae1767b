/**
 * Page tokens: a storage's cursor, bound to the query that it continues. Callers are to treat them as opaque and cannot be
 * trusted to: what comes back is checked before the cursor in it goes anywhere.
 */
import { createHash } from "node:crypto";
import { OpsCoreError } from "../errors/index.js";

/** Characters of a fingerprint: 72 bits, enough to notice a mix-up. It is not a secret; a cursor grants nothing. */
const FINGERPRINT_LENGTH = 12;
const MAX_TOKEN = 2_048;

/** What must not change from page to page: the method, the namespace and every filter, in one order. */
export type Query = readonly (string | number | readonly (string | number)[])[];

/**
 * @param next a storage's cursor; undefined when there is no more
 * @returns the token; empty when there is no more
 */
export function pageToken(query: Query, next: string | undefined): string {
  return next === undefined ? "" : Buffer.from(fingerprint(query) + next).toString("base64url");
}

/**
 * @param token from a caller; empty for the first page
 * @returns the storage's cursor; undefined for the first page
 * @throws OpsCoreError INVALID_PAGE_TOKEN
 */
export function readPageToken(query: Query, token: string): string | undefined {
  if (token === "") return undefined;
  if (token.length > MAX_TOKEN) throw invalidPageToken();
  const text = Buffer.from(token, "base64url").toString();
  // The decoder skips what it cannot read; only what encodes to the same text again was ours.
  const genuine = Buffer.from(text).toString("base64url") === token && text.startsWith(fingerprint(query));
  if (!genuine) throw invalidPageToken();
  return text.slice(FINGERPRINT_LENGTH);
}

export function invalidPageToken(): OpsCoreError {
  return new OpsCoreError("INVALID_PAGE_TOKEN", "page_token is not one of ours, or belongs to another query");
}

function fingerprint(query: Query): string {
  return createHash("sha256").update(JSON.stringify(query)).digest("base64url").slice(0, FINGERPRINT_LENGTH);
}
