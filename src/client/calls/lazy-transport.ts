import type { Transport } from "@connectrpc/connect";
import type { NodeTransportOptions, OpenTransport } from "./node-transport.js";

/**
 * A transport that is loaded with the first call: loading the runtime's HTTP stack is a third of what both take, and
 * a program that only needs types, errors or a transport of its own (a browser) never pays it.
 */
export function lazyNodeTransport(options: NodeTransportOptions): OpenTransport {
  let loading: Promise<OpenTransport> | undefined;
  let opened: OpenTransport | undefined;
  let closed: Error | undefined;

  async function open(): Promise<Transport> {
    loading ??= import("./node-transport.js").then(({ openNodeTransport }) => openNodeTransport(options));
    opened = await loading;
    // The client was closed while its transport was loading: the call fails as if it had been closed a moment later.
    if (closed !== undefined) throw closed;
    return opened.transport;
  }

  return {
    transport: {
      unary: async (...call) => (opened?.transport ?? (await open())).unary(...call),
      stream: async (...call) => (opened?.transport ?? (await open())).stream(...call),
    },
    close(reason) {
      closed = reason;
      opened?.close(reason);
    },
  };
}
