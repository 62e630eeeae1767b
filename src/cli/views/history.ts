import type { StateEvent } from "../../../gen/opscore/v1/state_service_pb.js";
import { printable } from "../text/printable.js";
import type { Printer } from "../text/printer.js";
import { span } from "../text/rich.js";
import type { Column } from "../text/table.js";
import { formatTime } from "../../lib/time-text.js";
import { stateEventView } from "./events.js";

const COLUMNS: readonly Column[] = [
  { title: "TIME" },
  { title: "REVISION", align: "right", dispensable: 2 },
  { title: "EVENT" },
  { title: "CHANGE" },
  { title: "BY", min: 8, dispensable: 1 },
  { title: "NOTE", min: 12, dispensable: 3 },
];

/** What happened to an agent, oldest first. */
export function printHistory(out: Printer, events: readonly StateEvent[]): void {
  out.table(
    COLUMNS,
    events.map((event) => {
      const { type, change, note, time } = stateEventView(event);
      return [
        span(formatTime(time, out.forPeople), "dim"),
        span(String(event.state?.revision ?? "")),
        span(type),
        change,
        span(printable(event.state?.actor ?? ""), "dim"),
        note,
      ];
    }),
  );
}
