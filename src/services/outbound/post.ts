/**
 * POST requests to addresses that others have chosen. They follow no redirect, reach nothing inside unless that is allowed, end in
 * time, and read no more of an answer than is asked for. Whether the other side may have got the request is part of the outcome: what
 * certainly did not reach it can be sent again, all else only by a receiver that can tell a repetition.
 */
import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { request as httpRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf } from "../../lib/failure-text.js";
import { isInside, leadsInside } from "./addresses.js";

/** How much of an answer is read, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

export interface OutboundRequest {
  /** `http:` or `https:`. */
  readonly url: string;
  /** JSON. */
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long all of it may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether addresses inside are allowed; see `isInside`. */
  readonly allowInside: boolean;
  readonly signal?: AbortSignal;
}

export type OutboundOutcome =
  | { readonly kind: "answered"; readonly status: number; readonly body: string }
  /** Nothing was sent: no such host, no connection. */
  | { readonly kind: "unreached"; readonly error: string }
  /** Nothing was sent, and nothing ever will be: the address is not one that may be reached. */
  | { readonly kind: "forbidden"; readonly error: string }
  /** It was sent, at least in part, and no whole answer came. */
  | { readonly kind: "unanswered"; readonly error: string };

/** What a look-up fails with that found an address inside. */
class ForbiddenAddressError extends Error {
  override readonly name = "ForbiddenAddressError";
}

/** Sends a request. Never throws. */
export function post(request: OutboundRequest): Promise<OutboundOutcome> {
  const { url, body, headers, timeoutMs, allowInside, signal } = request;
  if (!URL.canParse(url)) return Promise.resolve({ kind: "forbidden", error: "the URL cannot be read" });
  const target = new URL(url);
  if (target.protocol !== "http:" && target.protocol !== "https:") {
    return Promise.resolve({ kind: "forbidden", error: `${target.protocol} is not HTTP` });
  }
  // A host that is an address is not looked up.
  if (!allowInside && leadsInside(target)) {
    return Promise.resolve({ kind: "forbidden", error: forbidden(target.hostname) });
  }
  const send = target.protocol === "https:" ? httpsRequest : httpRequest;
  const options: RequestOptions = {
    method: "POST",
    // A connection that is used again may be closed at any moment: then nobody could say whether the request has arrived.
    agent: false,
    headers: {
      "content-type": "application/json",
      ...headers,
      "content-length": Buffer.byteLength(body),
    },
    ...(signal === undefined ? {} : { signal }),
    ...(allowInside ? {} : { lookup: lookupOutside }),
  };
  // Over TLS nothing of the request is sent before the other side has shown who it is.
  const connectedAt = target.protocol === "https:" ? "secureConnect" : "connect";
  return new Promise((resolve) => exchange(() => send(target, options), connectedAt, body, timeoutMs, resolve));
}

function exchange(
  open: () => ClientRequest,
  connectedAt: "connect" | "secureConnect",
  body: string,
  timeoutMs: number,
  resolve: (outcome: OutboundOutcome) => void,
): void {
  let connected = false;
  let call: ClientRequest;
  try {
    call = open();
  } catch (thrown) {
    resolve({ kind: "unreached", error: messageOf(thrown) });
    return;
  }
  // A timer, and no AbortSignal.timeout in an AbortSignal.any: Node 20 holds that only weakly, so a collection of garbage would take the
  // deadline away (nodejs/node#57736).
  const deadline = setTimeout(() => call.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  call.on("socket", (socket) => socket.once(connectedAt, () => (connected = true)));
  let isAnswered = false;
  const fail = (error: Error): void => {
    // What comes after the status is told by the answer.
    if (isAnswered) return;
    const kind = error instanceof ForbiddenAddressError ? "forbidden" : connected ? "unanswered" : "unreached";
    resolve({ kind, error: messageOf(error) });
  };
  call.on("error", fail);
  call.on("close", () => {
    clearTimeout(deadline);
    // Whatever became of it, there is an outcome: the first one counts.
    fail(new Error("the connection was closed"));
  });
  // Nobody asked for another protocol. Were this not heard, Node would close the connection without a word: no answer, no error.
  call.on("upgrade", ({ statusCode: status = 0 }: IncomingMessage, socket: Duplex) => {
    resolve({ kind: "answered", status, body: "" });
    socket.destroy();
  });
  call.on("response", (response) => {
    isAnswered = true;
    readAnswer(response, resolve);
  });
  call.end(body);
}

function readAnswer(response: IncomingMessage, resolve: (outcome: OutboundOutcome) => void): void {
  const { statusCode: status = 0 } = response;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const done = () => resolve({ kind: "answered", status, body: Buffer.concat(chunks).toString("utf8") });
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk.subarray(0, MAX_ANSWER_BYTES - bytes));
    bytes += chunk.length;
    if (bytes < MAX_ANSWER_BYTES) return;
    done();
    response.destroy();
  });
  response.on("end", done);
  // The status is the answer; what was lost of its body only explains it.
  response.on("error", done);
}

/**
 * Looks a host up and fails when one of its addresses lies inside. The connection is made to what was looked up here, so a name that
 * answers differently the next time (DNS rebinding) gains nothing.
 */
const lookupOutside: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error !== null) {
      callback(error, []);
      return;
    }
    const hidden = addresses.find(({ address }) => isInside(address));
    if (hidden !== undefined) {
      callback(new ForbiddenAddressError(forbidden(`${hostname} is ${hidden.address}, which`)), []);
      return;
    }
    const [first] = addresses;
    if (options.all === true) callback(null, addresses);
    else callback(null, first?.address ?? "", first?.family);
  });
};

/** Says the setting too: an operator reads this in a task's error, in a webhook's, or in the log, and may have meant to send there. */
function forbidden(what: string): string {
  return `${what} is an address inside, and the server sends there only with OPSCORE_OUTBOUND_ALLOW_PRIVATE=true`;
}
