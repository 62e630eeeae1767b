/**
 * The gate as an interceptor of Connect's handlers.
 */
import type { Message } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createContextKey,
  type ContextKey,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
} from "@connectrpc/connect";
import type { Gate, Passage } from "./gate.js";

/** Whether the call reached the gate, which then has logged it. */
export const passedGateKey: ContextKey<boolean> = createContextKey(false, { description: "passed the gate" });

export function gateInterceptor(gate: Gate): Interceptor {
  return (next) => async (req) => {
    req.contextValues.set(passedGateKey, true);
    const passage = gate.open(req);
    try {
      gate.admit(passage);
      // Connect makes the signal anyway. A deadline that has passed leaves nothing to do.
      if (req.signal.aborted) throw reasonOf(req.signal);
      if (!req.stream) {
        passage.gotMessage(req.message);
        const res = await next(req);
        passage.succeeded();
        return res;
      }
      return await enterStream(passage, req, next);
    } catch (thrown) {
      throw passage.failed(thrown);
    }
  };
}

async function enterStream(
  passage: Passage,
  req: StreamRequest,
  next: ReturnType<Interceptor>,
): Promise<StreamResponse> {
  // A handler that does not notice that its client left must not keep the slot.
  const onAbort = (): void => {
    const reason = reasonOf(req.signal);
    // Every other reason is a way in which clients leave: a reset stream, with whatever code, or a broken connection.
    if (reason.code === Code.DeadlineExceeded) passage.failed(reason);
    else passage.cancelled();
  };
  req.signal.addEventListener("abort", onAbort, { once: true });
  const res = await next({ ...req, message: incoming(passage, req.message) });
  if (!res.stream) throw new TypeError(`${req.method.name} answered a stream with a single message`);
  return { ...res, message: outgoing(passage, res.message, req.signal) };
}

function incoming(passage: Passage, messages: AsyncIterable<Message>): AsyncIterable<Message> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = messages[Symbol.asyncIterator]();
      return {
        next: async () => {
          const result = await inner.next().catch((thrown: unknown) => {
            throw unreadable(thrown);
          });
          if (result.done !== true) passage.gotMessage(result.value);
          return result;
        },
        return: async () => (await inner.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
}

/** What is not the framework's own word on a message is a connection that broke under it. */
function unreadable(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  return new ConnectError("the client went away", Code.Canceled, undefined, undefined, thrown);
}

function outgoing(passage: Passage, messages: AsyncIterable<Message>, signal: AbortSignal): AsyncIterable<Message> {
  return {
    [Symbol.asyncIterator]: () => {
      const inner = messages[Symbol.asyncIterator]();
      return {
        next: async () => {
          try {
            const result = await inner.next();
            if (result.done !== true) passage.sentMessages(1);
            // A handler ends quietly when its signal aborts; a deadline must not look like the end of the stream.
            else if (signal.aborted) throw reasonOf(signal);
            else passage.succeeded();
            return result;
          } catch (thrown) {
            throw passage.failed(thrown);
          }
        },
        return: async () => {
          passage.cancelled();
          return (await inner.return?.()) ?? { done: true, value: undefined };
        },
      };
    },
  };
}

function reasonOf(signal: AbortSignal): ConnectError {
  return ConnectError.from(signal.reason, Code.Canceled);
}
