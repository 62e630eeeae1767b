import type { Case } from "../case.js";
import type { Run } from "../run.js";
import type { JsonValue } from "../../../../src/lib/json.js";

export type ServerName = "lane" | "connect" | "grpc-js";

/** A server that the cases are run against, one after the other. */
export interface TriedServer {
  readonly name: ServerName;
  readonly port: number;
  /** The calls that come from now on belong to this run. */
  begin(testCase: Case, run: Run): void;
  /** What the server itself saw of the run, once it is through with it. */
  settle(): Promise<Record<string, JsonValue>>;
  stop(): void;
  drain(): void;
  close(): Promise<void>;
}
