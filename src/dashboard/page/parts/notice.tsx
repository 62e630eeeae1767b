import type { ConnectError } from "@connectrpc/connect";
import { fieldViolations } from "../../../client/index.js";
import type { Condition } from "../live/live-table.js";

/** How the watch is doing, in a word at the top of the page. */
export function ConditionMark({ condition }: { readonly condition: Condition }) {
  const [look, text] = MARKS[condition.kind];
  return (
    <span
      class={`condition ${look}`}
      role="status"
      title={"error" in condition ? condition.error.rawMessage : undefined}
    >
      {text}
    </span>
  );
}

const MARKS: Readonly<Record<Condition["kind"], readonly [look: string, text: string]>> = {
  connecting: ["gray", "◌ connecting"],
  live: ["green", "● live"],
  away: ["yellow", "◌ reconnecting"],
  refused: ["red", "● no access"],
  failed: ["red", "● ended"],
};

/** Why something is not shown, or not as it is now. */
export function Failure({ what, error }: { readonly what: string; readonly error: ConnectError }) {
  const violations = fieldViolations(error);
  return (
    <p class="failure" role="alert">
      {what}: {violations.length === 0 ? error.rawMessage : violations.map(({ description }) => description).join("; ")}
    </p>
  );
}
