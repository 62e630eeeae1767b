import { OpsCoreError } from "../../errors/index.js";
import type { JsonValue } from "../../lib/json.js";

/** A request that a route refuses by itself, before it calls anything. The gate and the log see an INVALID_FIELD. */
export class Refusal extends OpsCoreError {
  /**
   * @param status of the answer
   * @param detail of the answer's body
   * @param message for the log
   */
  constructor(
    readonly status: 400 | 422,
    readonly detail: JsonValue,
    message: string,
  ) {
    super("INVALID_FIELD", message);
  }
}

/** What a request wants cannot be: 400. */
export function badRequest(message: string): Refusal {
  return new Refusal(400, message, message);
}
