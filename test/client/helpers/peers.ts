/** Peers that misbehave, each in its own way, on a free port and gone with the test. */
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** @returns the URL of a server that treats each connection in this way */
export function tcpPeer(onConnection: (socket: net.Socket) => void): Promise<string> {
  return open(
    net.createServer((socket) => {
      socket.on("error", ignore);
      onConnection(socket);
    }),
  );
}

/** @returns the URL of an HTTP/2 server that treats each stream in this way */
export function http2Peer(onStream: (stream: http2.ServerHttp2Stream) => void): Promise<string> {
  const server = http2.createServer();
  server.on("stream", (stream) => {
    stream.on("error", ignore);
    onStream(stream);
  });
  return open(server);
}

/** @returns the URL of an HTTP/1.1 server that answers in this way */
export function http1Peer(onRequest: http.RequestListener): Promise<string> {
  return open(http.createServer(onRequest));
}

/** @returns the URL of a port on which nobody listens */
export async function nobody(): Promise<string> {
  const server = net.createServer();
  const url = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

async function open(server: net.Server): Promise<string> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return listen(server);
}

async function listen(server: net.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function ignore(): void {
  // A peer that misbehaves is told so by its sockets.
}
