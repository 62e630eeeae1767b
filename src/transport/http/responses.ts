import { STATUS_CODES } from "node:http";
import type { HttpResponse } from "./messages.js";
import { answer as jsonAnswer, type HttpAnswer } from "./routes.js";

const NOT_MODIFIED = 304;

/**
 * Sends an answer.
 *
 * @param since when the request came, on the clock of `performance.now()`
 */
export function sendAnswer(response: HttpResponse, answer: HttpAnswer, since: number): void {
  if (response.destroyed) return;
  const { status, body, contentType = "application/json", headers } = answer;
  response.statusCode = status;
  response.setHeader("content-type", contentType);
  // Of what has not changed it would be the length of what is not sent.
  if (status !== NOT_MODIFIED) response.setHeader("content-length", Buffer.byteLength(body));
  // In seconds.
  response.setHeader("x-process-time", ((performance.now() - since) / 1000).toFixed(6));
  if (headers !== undefined) for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

/** An answer that only says its status, as `{"detail": …}`. */
export function statusAnswer(status: number, headers?: Readonly<Record<string, string>>): HttpAnswer {
  return { ...jsonAnswer(status, { detail: STATUS_CODES[status] ?? "" }), ...(headers !== undefined && { headers }) };
}
