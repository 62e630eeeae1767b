import { STATUS_CODES } from "node:http";
import type { HttpResponse } from "./messages.js";
import { answer as jsonAnswer, type HttpAnswer } from "./routes.js";

/** An answer with what its headers say besides. */
export interface HeadedAnswer extends HttpAnswer {
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Sends an answer.
 *
 * @param since when the request came, on the clock of `performance.now()`
 */
export function sendAnswer(response: HttpResponse, answer: HeadedAnswer, since: number): void {
  if (response.destroyed) return;
  const { status, body, contentType = "application/json", headers } = answer;
  response.statusCode = status;
  response.setHeader("content-type", contentType);
  response.setHeader("content-length", Buffer.byteLength(body));
  // In seconds.
  response.setHeader("x-process-time", ((performance.now() - since) / 1000).toFixed(6));
  if (headers !== undefined) for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

/** An answer that only says its status, as `{"detail": …}`. */
export function statusAnswer(status: number, headers?: Readonly<Record<string, string>>): HeadedAnswer {
  return { ...jsonAnswer(status, { detail: STATUS_CODES[status] ?? "" }), ...(headers !== undefined && { headers }) };
}
