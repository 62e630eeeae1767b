/** `Headers`, which handlers write, as Node's HTTP/2 takes them. */
import type { OutgoingHttpHeaders } from "node:http2";

/** What belongs to an HTTP/1.1 connection; HTTP/2 has no such fields (RFC 9113 §8.2.2), and Node throws when it is given one. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** What can be sent of `headers`. */
export function toNodeHeaders(headers: Headers): OutgoingHttpHeaders {
  const sent: OutgoingHttpHeaders = {};
  // Values of one name come as one, except those of set-cookie.
  for (const [name, value] of headers) {
    if (CONNECTION_FIELDS.has(name)) continue;
    const present = sent[name];
    sent[name] = present === undefined ? value : [...(Array.isArray(present) ? present : [String(present)]), value];
  }
  return sent;
}
