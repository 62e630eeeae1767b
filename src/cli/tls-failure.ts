/** What it means, in words, when a server and a client do not come to TLS with each other. */
import { causeCodes } from "./causes.js";

/** What the user is told of a connection that has failed. */
export interface ConnectionFailure {
  readonly message: string;
  readonly hints: readonly string[];
}

/** How OpenSSL writes down what it did not like: `...:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:...`. */
const OPENSSL = /error:[0-9A-F]{8}:SSL routines:[^:]*:([^:]+)/;

/** What the other side answered with was no TLS at all. */
const NO_TLS = ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"];
const NO_HTTP2 = ["ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"];
const WRONG_NAME = ["ERR_TLS_CERT_ALTNAME_INVALID"];
const WRONG_TIME = ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"];
const NOT_TRUSTED = [
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];

const MEANINGS: readonly (readonly [codes: readonly string[], meaning: string, hint: (url: string) => string])[] = [
  [
    NO_TLS,
    "it does not speak TLS",
    (url) => `If it has no TLS, its URL begins with http: --url ${url.replace(/^https/i, "http")}`,
  ],
  [NO_HTTP2, "it does not speak HTTP/2", () => "--transport connect speaks HTTP/1.1."],
  [
    NOT_TRUSTED,
    "its certificate is not trusted",
    () => "NODE_EXTRA_CA_CERTS names a file (PEM) with the authority that signed it, or with the certificate itself.",
  ],
  [
    WRONG_NAME,
    "its certificate is for another name",
    () => "The host in --url must be one that its certificate names.",
  ],
  [WRONG_TIME, "its certificate is not valid now", () => "Renew it, unless the clock of this machine is wrong."],
];

/** What the user is told of a failure of TLS; undefined when that is not what it is. */
export function tlsFailure(error: Error, url: string): ConnectionFailure | undefined {
  const [, openssl] = OPENSSL.exec(error.message) ?? [];
  // Node makes the names of its codes in the same way, but not on every path.
  const codes = openssl === undefined ? causeCodes(error) : [`ERR_SSL_${openssl.toUpperCase().replace(/\W+/g, "_")}`];
  for (const [known, meaning, hint] of MEANINGS) {
    const code = codes.find((each) => known.includes(each));
    if (code !== undefined) return { message: `no TLS with ${url}: ${meaning} (${code})`, hints: [hint(url)] };
  }
  return openssl === undefined ? undefined : { message: `no TLS with ${url}: ${openssl} (${codes.join()})`, hints: [] };
}
