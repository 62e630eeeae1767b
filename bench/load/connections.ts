import type { Target } from "../scenario.js";
import { dialectOf } from "./dialects/index.js";
import { Connection } from "./http2/connection.js";

/** Connections to one server. When one breaks, so does the load: the process ends with the error. */
export class Connections {
  private constructor(private readonly all: readonly Connection[]) {}

  static async open(target: Target, count: number): Promise<Connections> {
    const { headers } = dialectOf(target.system);
    const onFailure = (error: Error): void => {
      throw error;
    };
    return new Connections(
      await Promise.all(Array.from({ length: count }, () => Connection.open(target, headers, onFailure))),
    );
  }

  /** Spreads what is numbered over the connections. */
  for(index: number): Connection {
    const connection = this.all[index % this.all.length];
    if (connection === undefined) throw new Error("there is no connection");
    return connection;
  }

  close(): void {
    for (const connection of this.all) connection.close();
  }
}
