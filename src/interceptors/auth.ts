/**
 * Who calls. One key for everybody for now; users, roles and client certificates take this place when they come.
 */
import { timingSafeEqual } from "node:crypto";
import { invalidFields, OpsCoreError } from "../errors/index.js";
import { DEFAULT_NAMESPACE, type Caller } from "../services/caller.js";
import type { HeaderReader } from "./call.js";

export const NAMESPACE_HEADER = "opscore-namespace";

/**
 * Finds out who calls.
 *
 * @throws CREDENTIALS_MISSING, CREDENTIALS_INVALID, INVALID_FIELD (the namespace)
 */
export type Authenticate = (header: HeaderReader) => Caller;

const BEARER = /^bearer +(\S+) *$/i;
const NAMESPACE = /^[A-Za-z0-9._:-]{1,128}$/;

/** @param apiKey the key that callers must send; undefined: nobody is asked */
export function createAuthenticator(apiKey: string | undefined): Authenticate {
  const actor = apiKey === undefined ? "anonymous" : "api-key";
  const check = apiKey === undefined ? undefined : createKeyCheck(apiKey);
  // Nearly every call is one of these, so it is made once.
  const usual: Caller = { namespace: DEFAULT_NAMESPACE, actor };
  return (header) => {
    check?.(header.get("authorization"));
    const namespace = header.get(NAMESPACE_HEADER);
    if (namespace === null || namespace === DEFAULT_NAMESPACE) return usual;
    if (!NAMESPACE.test(namespace)) {
      throw invalidFields([{ field: NAMESPACE_HEADER, description: "must be 1 to 128 characters of [A-Za-z0-9._:-]" }]);
    }
    return { namespace, actor };
  };
}

/**
 * Compares in a time that says nothing about the key but its length. Comparing hashes would hide that too, at the price of a tenth of
 * a small call.
 */
function createKeyCheck(apiKey: string): (authorization: string | null) => void {
  const expected = Buffer.from(apiKey);
  return (authorization) => {
    const given = BEARER.exec(authorization ?? "")?.[1];
    if (given === undefined) {
      throw new OpsCoreError("CREDENTIALS_MISSING", "this server wants authorization: Bearer KEY");
    }
    const bytes = Buffer.from(given);
    if (bytes.length !== expected.length || !timingSafeEqual(bytes, expected)) {
      throw new OpsCoreError("CREDENTIALS_INVALID", "the key is not the right one");
    }
  };
}
