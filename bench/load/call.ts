import type { Connection } from "./http2/connection.js";

/** One unary call whose answer matters only in that there is one; fails without. */
export function call(connection: Connection, path: string, message: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    let answered = false;
    connection.call(path, message, true, {
      message: () => (answered = true),
      ended: () => {
        if (answered) resolve();
        else reject(new Error(`a call of ${path} failed`));
      },
    });
  });
}
