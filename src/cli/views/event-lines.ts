import { timestampMs } from "@bufbuild/protobuf/wkt";
import { fill, richWidth, type Rich } from "../text/rich.js";
import { formatClock, formatTime } from "../text/time.js";
import type { EventView } from "./events.js";

const TYPE_WIDTH = "DEREGISTERED".length;
const CHANGE_WIDTH = "UNKNOWN → INITIALIZING".length;
const MAX_SUBJECT_WIDTH = 40;

const TYPE_LOOKS: Readonly<Record<string, "dim" | "green" | "yellow" | "red" | "magenta">> = {
  TRANSITION: "dim",
  UPDATED: "dim",
  SNAPSHOT: "dim",
  TASK: "dim",
  CREATED: "green",
  REGISTERED: "green",
  STARTED: "green",
  LIVENESS: "yellow",
  OFFLINE: "yellow",
  RESYNC: "yellow",
  DEREGISTERED: "red",
  EXITED: "magenta",
  ENDED: "magenta",
};

/** Makes events into lines that stand in columns, although nobody knows how wide the next one will be. */
export class EventLines {
  private subjectWidth = 12;

  /** @param forPeople with the time of day on their clock; otherwise with date and time in UTC, to be sorted and compared */
  constructor(private readonly forPeople: boolean) {}

  event({ type, subject, change, note, time }: EventView): Rich {
    const subjectWidth = richWidth([{ text: subject }]);
    if (subjectWidth > this.subjectWidth) this.subjectWidth = Math.min(MAX_SUBJECT_WIDTH, subjectWidth);
    const at = this.forPeople ? formatClock(time === undefined ? 0 : timestampMs(time)) : formatTime(time, false);
    return [
      { text: `${at}  `, look: "dim" },
      { text: `${type.padEnd(TYPE_WIDTH)}  `, look: TYPE_LOOKS[type] },
      ...fill([{ text: subject, look: "bold" }], this.subjectWidth),
      { text: "  " },
      ...fill(change, CHANGE_WIDTH),
      { text: "  " },
      ...note,
    ];
  }

  /** A line about the watch itself. */
  notice(now: number, type: string, note: string): Rich {
    const at = this.forPeople ? formatClock(now) : new Date(now).toISOString();
    return [
      { text: `${at}  `, look: "dim" },
      { text: `${type.padEnd(TYPE_WIDTH)}  `, look: TYPE_LOOKS[type] ?? "dim" },
      { text: note, look: "dim" },
    ];
  }
}

/** What `synced` and `resync` mean for whoever reads along. */
export const SYNCED_NOTE = "this is how things stand; what follows happens now";
export const RESYNC_NOTE = "continuity was lost: forget what stands above, a fresh snapshot follows";
