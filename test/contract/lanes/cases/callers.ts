/** Pieces that callers of several cases are made of. */
import type { Calling, RawCalling } from "../case.js";

/** Sends the one message of a unary call or of a server stream. */
export async function ask(call: Calling): Promise<void> {
  await call.send("hello");
  call.end();
}

/** Asks, and reads nothing until the server has had the time to answer more than there is room for. */
export async function askWithoutReading(call: RawCalling): Promise<void> {
  call.pause();
  await ask(call);
  for (let times = 0; times < 10; times++) await call.ping();
}
