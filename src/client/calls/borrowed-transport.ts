import type { Transport } from "@connectrpc/connect";
import { Ending } from "../ending.js";
import { onAbort } from "../signals.js";
import type { OpenTransport } from "./node-transport.js";
import { thenCall } from "./shared-signals.js";

/**
 * A transport that is somebody else's: its connections stay open when the client is closed, so the client's own calls on it have to be
 * ended one by one. A call that waits, as for a state, would else go on for as long as it likes.
 */
export function borrowedTransport(transport: Transport): OpenTransport {
  const lifetime = new Ending();
  let reason: Error | undefined;

  /** A signal that aborts with the caller's, and when the client is closed. */
  function link(signal: AbortSignal | undefined) {
    const controller = new AbortController();
    const abort = () => controller.abort(reason ?? signal?.reason);
    const unsubscribe = lifetime.onEnd(abort);
    // The caller's signal may outlive thousands of calls.
    const stopListening = onAbort(signal, abort);
    const release = () => {
      unsubscribe();
      stopListening();
    };
    return { signal: controller.signal, release };
  }

  return {
    transport: {
      async unary(method, signal, ...call) {
        const linked = link(signal);
        try {
          return await transport.unary(method, linked.signal, ...call);
        } finally {
          linked.release();
        }
      },
      async stream(method, signal, ...call) {
        const linked = link(signal);
        try {
          const response = await transport.stream(method, linked.signal, ...call);
          return { ...response, message: thenCall(linked.release, response.message) };
        } catch (error) {
          linked.release();
          throw error;
        }
      },
    },
    close(closed) {
      reason = closed;
      lifetime.end();
    },
  };
}
