/** Requests to the plain HTTP routes of a real server, and what comes back to the letter. */
import { createHmac } from "node:crypto";

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export interface Request {
  readonly method?: string;
  /** An object is sent as JSON. */
  readonly body?: object | string | Uint8Array<ArrayBuffer>;
  /** `null` leaves a header out that would be sent by itself. */
  readonly headers?: Readonly<Record<string, string | null>>;
}

/** Sends one request. Redirects are not followed. */
export async function send(url: string, path: string, { method, body, headers = {} }: Request = {}): Promise<Answer> {
  const sent = new Headers(body === undefined ? {} : { "content-type": "application/json" });
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) sent.delete(name);
    else sent.set(name, value);
  }
  const isText = typeof body === "string" || body instanceof Uint8Array;
  const response = await fetch(url + path, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: sent,
    ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
    redirect: "manual",
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** A body of `POST /v1/opscore/agent/{id}/state`. */
export function aReport(agentId: string, state: string, more: object = {}): Record<string, unknown> {
  return { agentId, timestamp: "2026-01-01T00:00:00Z", state, ...more };
}

/** A body of `POST /v1/opscore/internal/agent/notify`. */
export function aNotification(agentId: string, more: object = {}, eventType = "REGISTER"): Record<string, unknown> {
  const details = { agentId, agentName: "An agent", version: "1.0", contactEndpoint: "http://agent.test:9000/" };
  return { event_type: eventType, agent_details: { ...details, ...more } };
}

export function statePath(agentId: string): string {
  return `/v1/opscore/agent/${agentId}/state`;
}

export const NOTIFY = "/v1/opscore/internal/agent/notify";

/** The headers of a signed body. @param timestamp as it is sent */
export function signed(secret: string, timestamp: string, body: string | Uint8Array): Record<string, string> {
  const signature = createHmac("sha256", secret).update(timestamp).update(".").update(body).digest("hex");
  return { "x-agentkit-timestamp": timestamp, "x-agentkit-signature": signature };
}

/** Registers an agent by a notification. */
export async function register(url: string, agentId: string, more: object = {}): Promise<void> {
  const { status, text } = await send(url, NOTIFY, { body: aNotification(agentId, more) });
  if (status !== 200) throw new Error(`not registered: ${status} ${text}`);
}

/** The body of `GET …/state`. */
export async function stateOf(url: string, agentId: string): Promise<Record<string, unknown>> {
  const { text } = await send(url, statePath(agentId));
  return JSON.parse(text) as Record<string, unknown>;
}
