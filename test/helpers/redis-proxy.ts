/** A network between a storage and Redis that can be slow, hang, and break. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { RedisTarget } from "../../src/storage/redis/index.js";

const HOST = "127.0.0.1";

export class RedisProxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private hangs = false;
  private delayMs = 0;

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {}

  static async start(redisPort: number): Promise<RedisProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, HOST);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
    const proxy = new RedisProxy(server, address.port);
    server.on("connection", (near) => proxy.join(near, connect({ port: redisPort, host: HOST, noDelay: true })));
    return proxy;
  }

  get url(): string {
    return `redis://${HOST}:${this.port}`;
  }

  get target(): RedisTarget {
    return { kind: "standalone", address: { host: HOST, port: this.port } };
  }

  /** Breaks every connection. New ones are let through. */
  cut(): void {
    for (const [near, far] of this.pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** Lets nothing through, in neither direction, while connections stay open; also new ones. */
  hang(): void {
    this.hangs = true;
    for (const pair of this.pairs) for (const socket of pair) socket.pause();
  }

  /** Lets through what was held back, and everything after it. */
  flow(): void {
    this.hangs = false;
    for (const pair of this.pairs) for (const socket of pair) socket.resume();
  }

  /** Loses whatever is still sent on the connections that there are, which stay open. New ones are let through. */
  forget(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.removeAllListeners("data").resume();
  }

  /** Makes every byte take longer, each way. */
  slowDown(delayMs: number): void {
    this.delayMs = delayMs;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, "close");
  }

  private join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.pairs.add(pair);
    this.pass(near, far);
    this.pass(far, near);
    for (const socket of pair) {
      if (this.hangs) socket.pause();
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
  }

  private pass(from: Socket, to: Socket): void {
    from.on("data", (data) => {
      if (this.delayMs === 0) to.write(data);
      else setTimeout(() => to.write(data), this.delayMs);
    });
  }
}
