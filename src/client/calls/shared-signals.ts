import type { Transport } from "@connectrpc/connect";
import { onAbort } from "../signals.js";

/**
 * Gives each call a signal of its own, which aborts with the caller's: what carries calls listens to theirs more than once, and not
 * always lets go of it. For the calls that a program makes; a watch has a signal for each of its streams anyway.
 */
export function sharingSignals(transport: Transport): Transport {
  return {
    async unary(method, signal, ...call) {
      const { own, release } = ownSignal(signal);
      try {
        return await transport.unary(method, own, ...call);
      } finally {
        release();
      }
    },
    async stream(method, signal, ...call) {
      const { own, release } = ownSignal(signal);
      try {
        const response = await transport.stream(method, own, ...call);
        return signal === undefined ? response : { ...response, message: thenCall(release, response.message) };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

function ownSignal(signal: AbortSignal | undefined) {
  if (signal === undefined) return { own: undefined, release: () => undefined };
  const controller = new AbortController();
  const release = onAbort(signal, () => controller.abort(signal.reason));
  return { own: controller.signal, release };
}

/** The same values; calls `release` when there are no more. */
export async function* thenCall<T>(release: () => void, values: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* values;
  } finally {
    release();
  }
}
