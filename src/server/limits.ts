import type { Config } from "../config/index.js";
import { DEFAULT_LIMITS, type Limits } from "../services/index.js";

/** What callers may ask for, as the settings have it. */
export function serviceLimits({ maxDataBytes, outboundAllowPrivate }: Config): Limits {
  return { ...DEFAULT_LIMITS, dataBytes: maxDataBytes, webhooksInside: outboundAllowPrivate };
}
