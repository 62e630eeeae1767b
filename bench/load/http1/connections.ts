import type { Target } from "../../scenario.js";
import { API_KEY } from "../../systems/population.js";
import type { Lines } from "../closed-loop.js";
import { HttpConnection } from "./connection.js";

/** Connections to one server, each for one request at a time. When one breaks, so does the load: the process ends with the error. */
export class HttpConnections implements Lines {
  private constructor(private readonly all: readonly HttpConnection[]) {}

  static async open(target: Target, count: number): Promise<HttpConnections> {
    const onFailure = (error: Error): void => {
      throw error;
    };
    const headers = `authorization: Bearer ${API_KEY}\r\n`;
    return new HttpConnections(
      await Promise.all(Array.from({ length: count }, () => HttpConnection.open(target, headers, onFailure))),
    );
  }

  for(index: number): HttpConnection {
    const connection = this.all[index % this.all.length];
    if (connection === undefined) throw new Error("there is no connection");
    return connection;
  }

  close(): void {
    for (const connection of this.all) connection.close();
  }
}
