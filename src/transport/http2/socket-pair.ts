import { randomUUID } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Opens a connection inside of the process, over a socket of the system: Node's HTTP/2 over streams of JavaScript's reads nothing while
 * it writes, and can abort the process (an assertion in its native part). The address is there only until both ends have found each other.
 *
 * @param accept takes the far end, a little later
 * @returns the near end, which is still connecting
 */
export function socketPair(accept: (far: Socket) => void): Socket {
  const address = freshAddress();
  const server = createServer((far) => {
    server.close();
    accept(far);
  });
  server.listen(address);
  const near = connect(address);
  // Nobody else may come, and nobody will when the near end has gone.
  near.on("close", () => server.close());
  server.on("error", (error) => near.destroy(error));
  return near;
}

/** Linux has names for sockets that are no files; elsewhere Node removes the file when its server is closed. */
function freshAddress(): string {
  const name = `opscore-${randomUUID()}`;
  if (platform() === "linux") return `\0${name}`;
  return platform() === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}
