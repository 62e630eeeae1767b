import { Code, type ConnectError } from "@connectrpc/connect";
import { causeCodes, causeOf } from "./causes.js";
import type { Target } from "./target.js";
import { tlsFailure, type ConnectionFailure } from "./tls-failure.js";

/** Failures that no server of ours spoke about: nobody answered, or somebody else did. */
export function unansweredCall(error: ConnectError, { url }: Target): ConnectionFailure {
  const { code, rawMessage } = error;
  if (code === Code.Unavailable) {
    return { message: `cannot reach the server at ${url}: ${causeOf(error)}`, hints: reachHints(error, url) };
  }
  if (code === Code.DeadlineExceeded) {
    return { message: `no answer from ${url} in time`, hints: ["--timeout gives it longer."] };
  }
  const tls = tlsFailure(error, url);
  if (tls !== undefined) return tls;
  if (code === Code.Unimplemented) {
    const { origin, pathname } = new URL(url);
    // A server of ours has no path: asked below one, it does not know any call.
    const hint =
      pathname === "/"
        ? "It is another kind of server, or an older version of this one."
        : `Is ${pathname} right? It is, where a proxy takes it off; without one: --url ${origin}`;
    return { message: `${url} does not know this call: ${rawMessage}`, hints: [hint] };
  }
  const hint = "Is this an Ops-Core server? Through a proxy that does not speak gRPC, --transport connect may help.";
  return { message: `the call to ${url} failed: ${rawMessage}`, hints: [hint] };
}

function reachHints(error: ConnectError, url: string): readonly string[] {
  const hints = ["Is it running? `opscore serve` starts one; --url or OPSCORE_URL say where another one is."];
  // Somebody was there and left, as a server does that expected TLS.
  const hungUp =
    error.rawMessage.startsWith("connection lost: ") && causeCodes(error).every((code) => code === "ECONNRESET");
  if (hungUp && new URL(url).protocol === "http:") hints.push("If it wants TLS, its URL begins with https:.");
  return hints;
}
