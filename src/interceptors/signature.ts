/**
 * Signed notifications: who sends one proves with a secret that it made this body at this time, and each is taken once.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { OpsCoreError } from "../errors/index.js";
import type { Awaitable } from "../lib/awaitable.js";
import { chain } from "../lib/awaitable.js";
import type { Clock } from "../lib/clock.js";
import { parseTime } from "../lib/time.js";
import { DEFAULT_NAMESPACE, type Caller } from "../services/caller.js";
import type { HeaderReader } from "./call.js";

export const SIGNATURE_HEADER = "x-agentkit-signature";
export const TIMESTAMP_HEADER = "x-agentkit-timestamp";
/** How far the time of a signature may be from now, in milliseconds. Claims are remembered for longer than twice that. */
export const SIGNATURE_WINDOW_MS = 5 * 60_000;

const HEX_SHA256 = /^[0-9a-f]{64}$/i;
/** The secret belongs to one namespace: a header is not signed, so it cannot choose another. */
const SENDER: Caller = { namespace: DEFAULT_NAMESPACE, actor: "webhook" };

export interface SignatureOptions {
  readonly secret: string;
  readonly clock: Pick<Clock, "now">;
  /** Tells, over all replicas, whether nobody has claimed the key yet. */
  claim(key: string): Awaitable<boolean>;
}

/** Checks signatures: the hexadecimal HMAC-SHA256, with the secret, of the timestamp as it was sent, a point, and the body. */
export class SignatureCheck {
  constructor(private readonly options: SignatureOptions) {}

  /**
   * Finds out who sends a request.
   *
   * @throws CREDENTIALS_MISSING, CREDENTIALS_INVALID
   */
  authenticate(header: HeaderReader, body: Uint8Array): Caller {
    const signature = header.get(SIGNATURE_HEADER);
    const timestamp = header.get(TIMESTAMP_HEADER);
    if (signature === null || timestamp === null) {
      throw new OpsCoreError("CREDENTIALS_MISSING", `${SIGNATURE_HEADER} and ${TIMESTAMP_HEADER} are wanted`);
    }
    if (!this.isGenuine(signature, timestamp, body)) throw invalid("the signature is not the right one");
    // Only who has the secret learns what the server thinks of its clock.
    const time = parseTime(timestamp);
    if (time === undefined) throw invalid(`${TIMESTAMP_HEADER} is neither Unix seconds nor ISO 8601`);
    if (Math.abs(this.options.clock.now() - time) > SIGNATURE_WINDOW_MS) {
      throw invalid("the signature was made more than 5 minutes ago, or ahead of now");
    }
    return SENDER;
  }

  /**
   * Takes a signature that was authenticated; nobody can take it again.
   *
   * @throws CREDENTIALS_INVALID when it was taken before; STORAGE_UNAVAILABLE, TOO_MANY
   */
  takeOnce(header: HeaderReader): Awaitable<void> {
    const signature = header.get(SIGNATURE_HEADER) ?? "";
    return chain(this.options.claim(`webhook:${signature.toLowerCase()}`), (isFirst) => {
      if (!isFirst) throw invalid("the signature was used before");
    });
  }

  private isGenuine(signature: string, timestamp: string, body: Uint8Array): boolean {
    if (!HEX_SHA256.test(signature)) return false;
    // Header values are bytes, which Node reads as Latin-1.
    const expected = createHmac("sha256", this.options.secret).update(timestamp, "latin1").update(".").update(body);
    return timingSafeEqual(Buffer.from(signature, "hex"), expected.digest());
  }
}

function invalid(message: string): OpsCoreError {
  return new OpsCoreError("CREDENTIALS_INVALID", message);
}
