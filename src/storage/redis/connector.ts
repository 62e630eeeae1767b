import { connect as connectTcp, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { AbstractConnector } from "ioredis";
import type { RedisAddress, RedisTls } from "./target.js";

/** How long to wait for the other side when a connection is closed, in milliseconds: it may not be there any more. */
export const DISCONNECT_TIMEOUT_MS = 50;

/**
 * A way for the client to find its server anew at each attempt to connect.
 *
 * @param locate answers where the server is now; when it fails, so does the attempt, and the client tries again
 */
export function connectorTo(
  locate: () => Promise<RedisAddress>,
  tls: RedisTls | undefined,
): new (options: unknown) => AbstractConnector {
  return class extends AbstractConnector {
    constructor() {
      super(DISCONNECT_TIMEOUT_MS);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      const stream = await this.open();
      this.stream = stream;
      // It may have been told to leave meanwhile.
      if (!this.isWanted) stream.destroy();
      return stream;
    }

    private get isWanted(): boolean {
      return this.connecting;
    }

    /** Without a stream the client would give up for good; one that is closed already makes it try again. */
    private async open(): Promise<Socket> {
      try {
        const address = await locate();
        const stream = tls === undefined ? connectTcp(address) : connectTls({ ...address, ...tls });
        stream.once("error", (error: Error) => (this.firstError = error));
        return stream;
      } catch (thrown) {
        this.firstError = thrown instanceof Error ? thrown : new Error("no server was found", { cause: thrown });
        const stream = new Socket();
        stream.destroy();
        return stream;
      }
    }
  };
}
