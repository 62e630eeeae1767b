/** The clock of the server, by which ages are. That of the browser may be hours off. */
import type { Interceptor } from "@connectrpc/connect";

/** Answers say their time in whole seconds, and take a while: by so much two clocks may seem to differ that agree. */
const TOLERANCE_MS = 2000;

let aheadMs = 0;

/** Learns what the server's clock says from every answer. */
export const readClock: Interceptor = (next) => async (request) => {
  const response = await next(request);
  const difference = Date.parse(response.header.get("date") ?? "") - Date.now();
  if (!Number.isNaN(difference)) aheadMs = Math.abs(difference) > TOLERANCE_MS ? difference : 0;
  return response;
};

/** The time in milliseconds since 1970. */
export function serverNow(): number {
  return Date.now() + aheadMs;
}
