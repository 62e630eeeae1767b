import { createHmac } from "node:crypto";

/** The headers of a signed request: when it was signed, in Unix seconds, and the signature. */
export const TIMESTAMP_HEADER = "x-opscore-timestamp";
export const SIGNATURE_HEADER = "x-opscore-signature";

/**
 * Signs a request: the hex HMAC-SHA256 of the timestamp, a dot and the body. The receiver makes the same from what it got, compares
 * in constant time, and refuses what is too old.
 *
 * @param now milliseconds since 1970
 */
export function signedHeaders(secret: string, body: string, now: number): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(now / 1000));
  const signature = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
  return { [TIMESTAMP_HEADER]: timestamp, [SIGNATURE_HEADER]: signature };
}
