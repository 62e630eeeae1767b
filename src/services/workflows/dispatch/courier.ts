import type { Agent, TaskRecord } from "../../../storage/records.js";
import type { OutboundOutcome } from "../../outbound/post.js";

/** What became of bringing an attempt to its agent. */
export type Delivery =
  /** The other side has it. */
  | { readonly kind: "accepted" }
  /** It certainly does not have it, and may take it later. */
  | { readonly kind: "unreached"; readonly error: string }
  /** It does not want it. `permanent`: nor would it want another attempt. */
  | { readonly kind: "refused"; readonly reason: string; readonly error: string; readonly permanent: boolean }
  /** Nobody can say whether it has it. */
  | { readonly kind: "uncertain"; readonly error: string };

/** One way by which tasks are brought to agents that do not fetch them. */
export interface Courier {
  /** Must not throw. */
  bring(task: TaskRecord, agent: Agent, signal: AbortSignal): Promise<Delivery>;
  /** Tells the agent, as well as it can be told, that a task is called off. Must not throw. */
  recall(task: TaskRecord, agent: Agent, signal: AbortSignal): Promise<void>;
}

/** How long one request may take, in milliseconds. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** Statuses by which a server says that it has not taken the request, and that it may later. */
const BUSY: ReadonlySet<number> = new Set([425, 429, 502, 503, 504]);

/** What came of a request says what became of the attempt that it brought. */
export function deliveryBy(outcome: OutboundOutcome): Delivery {
  switch (outcome.kind) {
    case "answered":
      return deliveryByStatus(outcome.status, outcome.body);
    case "unreached":
      return outcome;
    case "unanswered":
      return { kind: "uncertain", error: outcome.error };
    case "forbidden":
      return { kind: "refused", reason: "ForbiddenAddress", error: outcome.error, permanent: true };
  }
}

/** What an HTTP status says of a delivery. */
function deliveryByStatus(status: number, body: string): Delivery {
  if (status >= 200 && status < 300) return { kind: "accepted" };
  const error = `status ${status}${body === "" ? "" : `: ${body.slice(0, 256)}`}`;
  if (BUSY.has(status)) return { kind: "unreached", error };
  // 404: it may be registered there a moment later. 5xx: a defect of this moment.
  const permanent = status < 500 && status !== 404 && status !== 408;
  return { kind: "refused", reason: "DeliveryRefused", error, permanent };
}
