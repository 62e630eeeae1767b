import { Liveness } from "../../../gen/opscore/v1/common_pb.js";
import type { Clock } from "../../lib/clock.js";
import { printable } from "../text/printable.js";
import { span, type Rich } from "../text/rich.js";
import { formatTable, type Column, type Row } from "../text/table.js";
import { formatAge } from "../../lib/time-text.js";
import { livenessRich, stateRich } from "../views/looks.js";
import { HIGHLIGHT_MS } from "./board.js";
import type { BoardAgent } from "./state-board.js";

const COLUMNS: readonly Column[] = [
  { title: "AGENT", min: 10, atLeast: 12, keepsEnds: true },
  { title: "STATE", atLeast: "● INITIALIZING".length },
  { title: "LIVENESS", dispensable: 2 },
  { title: "FOR", align: "right", atLeast: "59m59s".length, dispensable: 1 },
  { title: "LAST MESSAGE", min: 12, dispensable: 3 },
];

/** The head, and a line for each agent that is shown, of so many in all. */
export function agentTable(shown: readonly BoardAgent[], total: number, width: number, clock: Clock): readonly Rich[] {
  const rows = shown.map((agent) => agentRow(agent, clock));
  const lines = formatTable(COLUMNS, rows, width);
  if (total === 0) return [...lines, span("no agents yet", "dim")];
  return total > shown.length ? [...lines, span(`and ${total - shown.length} more, quiet for longer`, "dim")] : lines;
}

function agentRow({ state, since, changedAt }: BoardAgent, clock: Clock): Row {
  const isNews = clock.monotonic() - changedAt < HIGHLIGHT_MS;
  const id = printable(state.agentId);
  const isLost = state.liveness === Liveness.LOST;
  return [
    [{ text: id, look: isNews ? ["bold", "inverse"] : "bold" }],
    [...stateRich(state.state).map(({ look }) => ({ text: isLost ? "○ " : "● ", look })), ...stateRich(state.state)],
    livenessRich(state.liveness),
    span(formatAge(clock.now() - since)),
    [
      ...span(printable(state.reason), "yellow"),
      ...span(state.reason !== "" && state.message !== "" ? "  " : ""),
      ...span(printable(state.message)),
    ],
  ];
}
