/** A line between client and server that can be cut, or led to another server. */
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export class Proxy {
  private readonly lines = new Set<net.Socket>();
  private open = true;
  /** How many connections were made through it. */
  connections = 0;

  private constructor(
    readonly url: string,
    private readonly server: net.Server,
    private target: string,
  ) {}

  /** Stands in front of `target`; gone with the test. */
  static async start(target: string): Promise<Proxy> {
    const server = net.createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const proxy = new Proxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, target);
    server.on("connection", (client) => {
      const { hostname, port } = new URL(proxy.target);
      proxy.connect(client, net.connect({ host: hostname, port: Number(port) }));
    });
    onTestFinished(() => {
      server.close();
      proxy.cut();
    });
    return proxy;
  }

  /**
   * Resets every connection, on both sides.
   *
   * @returns whether there was one
   */
  cut(): boolean {
    const cut = this.lines.size > 0;
    for (const line of this.lines) line.resetAndDestroy();
    this.lines.clear();
    return cut;
  }

  /** Leads new connections to another server, as a balancer does that has noticed. */
  pointTo(target: string): void {
    this.target = target;
  }

  /** Resolves when there is a connection. */
  async connected(): Promise<void> {
    while (this.lines.size === 0) await once(this.server, "connection");
  }

  /** Resolves when there is no connection. */
  async disconnected(): Promise<void> {
    for (const line of this.lines) if (!line.closed) await once(line, "close");
  }

  /** Lets nothing through any more, in either direction, without telling anybody. */
  freeze(): void {
    for (const line of this.lines) line.unpipe().pause();
  }

  /** Resets every connection, and every new one, until {@link mend}. */
  sever(): void {
    this.open = false;
    this.cut();
  }

  mend(): void {
    this.open = true;
  }

  private connect(client: net.Socket, server: net.Socket): void {
    this.connections += 1;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.lines.add(from);
      from.setNoDelay(true);
      from.on("error", () => undefined);
      from.on("close", () => {
        this.lines.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    if (!this.open) this.cut();
  }
}
