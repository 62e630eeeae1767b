/** Requests and exact answers as tables, against one server that has a key. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startServerUnowned, type TestServer } from "../../helpers/server.js";
import { aNotification, NOTIFY, send, statePath, type Request } from "./harness.js";

export const KEY = "correct-horse";
export const key = { authorization: `Bearer ${KEY}` };
export const ACCEPTED = '{"status":"success","message":"State update accepted"}';
export const MISMATCH = '{"detail":"Agent ID in path does not match agent ID in payload"}';
export const MISSING_KEY = '{"detail":"Authorization header missing"}';
export const INVALID_KEY = '{"detail":"Invalid authentication credentials"}';
export const NOT_AN_OBJECT =
  '{"detail":[{"loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","type":"model_attributes_type"}]}';

export const registered = (agentId: string): string =>
  `{"status":"success","message":"Agent ${agentId} registered successfully."}`;
export const fault = (loc: readonly (string | number)[], msg: string, type: string) => ({ loc, msg, type });
export const faults = (...list: object[]): string => JSON.stringify({ detail: list });
export const missing = (...loc: string[]) => fault(["body", ...loc], "Field required", "missing");
export const notText = (...loc: (string | number)[]) =>
  fault(["body", ...loc], "Input should be a valid string", "string_type");
export const notJson = (type: string): string =>
  faults(fault(["header", "content-type"], `Value error, must be application/json, not "${type}"`, "value_error"));
export const badJson = (position?: number): string =>
  faults(fault(position === undefined ? ["body"] : ["body", position], "JSON decode error", "json_invalid"));

/** The path of an agent that the server knows. */
export const known = statePath("known");

/** A request, and its answer. */
export type Case = readonly [title: string, path: string, request: Request, status: number, text: string];

/** A server that knows one agent, for the tests of a file. */
export function useServer() {
  let running: TestServer;

  beforeAll(async () => {
    running = await startServerUnowned({ apiKey: KEY, maxRequestBytes: 4096, maxDataBytes: 1024 });
    await post(NOTIFY, aNotification("known"));
  });
  afterAll(() => running.server.close());

  const ask = (path: string, request: Request = {}) => send(running.url, path, request);
  const post = (path: string, body: Request["body"], headers: Request["headers"] = {}) =>
    ask(path, { method: "POST", headers: { ...key, ...headers }, ...(body !== undefined && { body }) });

  /** Sends each request with the right key, unless it says otherwise, and expects its answer. */
  function expectAll(cases: readonly Case[]): void {
    it.each(cases)("%s", async (_title, path, request, status, text) => {
      const answer = await ask(path, { ...request, headers: { ...key, ...request.headers } });
      expect([answer.status, answer.text]).toEqual([status, text]);
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(Number(answer.headers.get("x-process-time"))).toBeGreaterThanOrEqual(0);
    });
  }

  return { ask, post, expectAll, url: () => running.url };
}
