import type { ConnectError } from "@connectrpc/connect";

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "there is no way to this host",
  ENETUNREACH: "there is no way to this network",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the name of the host cannot be looked up now",
  ETIMEDOUT: "it does not answer",
};

/** The codes that the runtime gave a failure and whatever caused it: `ECONNREFUSED`, `CERT_HAS_EXPIRED`. */
export function causeCodes(error: Error): readonly string[] {
  const codes: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") codes.push(cause.code);
  }
  return codes;
}

/** Why the server could not be reached, in words. */
export function causeOf(error: ConnectError): string {
  for (const code of causeCodes(error)) {
    const words = CAUSES[code];
    if (words !== undefined) return words;
  }
  return error.rawMessage.replace(/^connection lost: /, "");
}
