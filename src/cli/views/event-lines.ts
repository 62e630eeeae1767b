import { timestampMs } from "@bufbuild/protobuf/wkt";
import { fill, richWidth, type Rich } from "../text/rich.js";
import { formatClock, formatTime } from "../../lib/time-text.js";
import { displayWidth, shorten } from "../text/width.js";
import type { EventView } from "./events.js";

/** How wide the columns are, in characters. */
export interface EventWidths {
  readonly type: number;
  /** At most: a longer one moves only its own line. */
  readonly subject: number;
  readonly change: number;
}

const STATE_WIDTHS: EventWidths = { type: "DEREGISTERED".length, subject: 40, change: "UNKNOWN → INITIALIZING".length };
/** With what most agents and tasks are called, a line fits into 80 columns. */
export const TASK_WIDTHS: EventWidths = { type: "SNAPSHOT".length, subject: 20, change: "PENDING → CANCELLED".length };

/** However narrow the terminal, so much of an id is shown. */
const MIN_SUBJECT = 8;
/** Where ids are shortened there is still room for the ellipsis of a note that is cut off, and the gap before it. */
const NOTE_SIGN = 3;

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
  constructor(
    private readonly forPeople: boolean,
    private readonly widths = STATE_WIDTHS,
  ) {}

  /** Makes the column of ids wide enough for this one, in the lines that are made from now on. */
  learn({ subject }: EventView): void {
    const subjectWidth = displayWidth(subject);
    if (subjectWidth > this.subjectWidth) this.subjectWidth = Math.min(this.widths.subject, subjectWidth);
  }

  /**
   * @param lineWidth how many columns there are: an id that would push what happened out of them is shortened. Not given: as many as
   *   it takes
   */
  event(event: EventView, lineWidth = Infinity): Rich {
    this.learn(event);
    const { type, subject, change, note, time } = event;
    const at = this.forPeople ? formatClock(time === undefined ? 0 : timestampMs(time)) : formatTime(time, false);
    const head: Rich = [
      { text: `${at}  `, look: "dim" },
      { text: `${type.padEnd(this.widths.type)}  `, look: TYPE_LOOKS[type] },
    ];
    const room = Math.max(MIN_SUBJECT, lineWidth - richWidth(head) - 2 - this.widths.change - NOTE_SIGN);
    return [
      ...head,
      ...fill([{ text: shorten(subject, room), look: "bold" }], Math.min(this.subjectWidth, room)),
      { text: "  " },
      ...fill(change, this.widths.change),
      { text: "  " },
      ...note,
    ];
  }

  /** A line about the watch itself. */
  notice(now: number, type: string, note: string): Rich {
    const at = this.forPeople ? formatClock(now) : new Date(now).toISOString();
    return [
      { text: `${at}  `, look: "dim" },
      { text: `${type.padEnd(this.widths.type)}  `, look: TYPE_LOOKS[type] ?? "dim" },
      { text: note, look: "dim" },
    ];
  }
}

/** What `synced` and `resync` mean for whoever reads along. */
export const SYNCED_NOTE = "this is how things stand; what follows happens now";
export const RESYNC_NOTE = "continuity was lost: forget what stands above, a fresh snapshot follows";
