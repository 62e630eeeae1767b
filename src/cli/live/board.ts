import type { Clock } from "../../lib/clock.js";
import type { Rich } from "../text/rich.js";
import { EventLines, type EventWidths } from "../views/event-lines.js";
import type { EventView } from "../views/events.js";
import type { Item } from "../watching.js";

/** For how long a change stands out, in milliseconds. */
export const HIGHLIGHT_MS = 1000;

/** How many lines of the log are kept: more than any terminal shows. */
const LOG_LINES = 500;

/** So that agent-10 comes after agent-9. */
export const byName = new Intl.Collator("en", { numeric: true });

/** What a watch has said so far: how things are now, and what happened last. */
export abstract class Board<Entry> {
  /** Each as it is on a terminal of so many columns, which may be another one when it is drawn again. */
  private readonly lines: ((width: number) => Rich)[] = [];
  private readonly format: EventLines;

  /** @param clock for what the board itself notices */
  constructor(
    protected readonly clock: Clock,
    widths?: EventWidths,
  ) {
    this.format = new EventLines(true, widths);
  }

  abstract apply(item: Item<Entry>): void;

  /**
   * How things are now.
   *
   * @param room how many lines there are for it, at least two
   * @param clock at what time
   */
  abstract table(room: number, width: number, clock: Clock): readonly Rich[];

  /**
   * What happened, oldest first.
   *
   * @param count only the last so many lines
   * @param width how many columns there are for it
   */
  log(count = Infinity, width = Infinity): readonly Rich[] {
    return this.lines.slice(-count).map((line) => line(width));
  }

  /** Adds a line about the watch itself. */
  say(type: string, note: string): void {
    const line = this.format.notice(this.clock.now(), type, note);
    this.push(() => line);
  }

  /** Adds a line about an event. */
  protected tell(event: EventView): void {
    this.format.learn(event);
    this.push((width) => this.format.event(event, width));
  }

  private push(line: (width: number) => Rich): void {
    this.lines.push(line);
    if (this.lines.length > 2 * LOG_LINES) this.lines.splice(0, LOG_LINES);
  }
}
