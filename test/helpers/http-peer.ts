/** A web server of somebody else's, which answers as a test says and remembers what it was asked. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface PeerRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface PeerAnswer {
  readonly status: number;
  readonly body?: unknown;
}

/** What to answer; `undefined`: break the connection off. */
export type PeerConduct = (request: PeerRequest) => PeerAnswer | undefined | Promise<PeerAnswer | undefined>;

export class HttpPeer {
  readonly requests: PeerRequest[] = [];
  private waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(conduct: PeerConduct): Promise<HttpPeer> {
    const server = createServer((request, response) => {
      void readRequest(request).then(async (asked) => {
        peer.note(asked);
        const answer = await conduct(asked);
        if (answer === undefined) request.socket.resetAndDestroy();
        else response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const peer = new HttpPeer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return peer;
  }

  /** Waits until so many requests have come in all. */
  async until(count: number): Promise<readonly PeerRequest[]> {
    if (this.requests.length < count) {
      await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
    }
    return this.requests;
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private note(request: PeerRequest): void {
    this.requests.push(request);
    const due = this.waiting.filter(({ count }) => count <= this.requests.length);
    this.waiting = this.waiting.filter((each) => !due.includes(each));
    for (const { resolve } of due) resolve();
  }
}

async function readRequest(request: IncomingMessage): Promise<PeerRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: request.headers,
    body: Buffer.concat(chunks).toString(),
  };
}
