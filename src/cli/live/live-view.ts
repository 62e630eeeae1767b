import type { Reconnect } from "../../client/index.js";
import type { Scheduler } from "../../client/scheduler.js";
import type { Terminal } from "../io.js";
import type { Printer } from "../text/printer.js";
import { span, type Rich } from "../text/rich.js";
import { lossNote, type Item, type WatchSink } from "../watching.js";
import type { Board } from "./board.js";
import { boardFrame, finalFrame } from "./board-frame.js";
import { Screen } from "./screen.js";

/** Changes are gathered for so long before they are drawn: no eye follows more pictures in a second. */
const GATHER_MS = 40;
/** How often the picture is drawn when nothing happens, for the times in it. */
const TICK_MS = 1000;

const LIVE = span("● live", "green");
const RECONNECTING = span("◌ reconnecting", "yellow");

export interface LiveViewOptions<Entry> {
  readonly board: Board<Entry>;
  readonly title: Rich;
  readonly footer: Rich;
  readonly terminal: Terminal;
  readonly out: Printer;
  readonly scheduler: Scheduler;
}

/** Shows a watch as it goes on: fills the terminal until the watch ends, then leaves the last picture behind. */
export class LiveView<Entry> implements WatchSink<Entry> {
  private readonly screen: Screen;
  private status: Rich = LIVE;
  private cancelDraw: (() => void) | undefined;
  private cancelTick: (() => void) | undefined;
  private stopListening: (() => void) | undefined;
  private begun = false;

  constructor(private readonly options: LiveViewOptions<Entry>) {
    this.screen = new Screen(options.terminal, options.out.style);
  }

  items(items: readonly Item<Entry>[]): void {
    this.begin();
    for (const item of items) this.options.board.apply(item);
    this.soon();
  }

  lost(reconnect: Reconnect): void {
    if (reconnect.failures === 1) this.options.board.say("OFFLINE", lossNote(reconnect));
    this.status = RECONNECTING;
    this.soon();
  }

  found(): void {
    this.status = LIVE;
    this.soon();
  }

  ended(): void {
    this.cancelDraw?.();
    this.cancelTick?.();
    this.stopListening?.();
    this.screen.leave();
    this.leaveBehind();
  }

  /** Takes the terminal only when there is something to show, so that a failure to connect is an ordinary message. */
  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    this.screen.enter();
    this.stopListening = this.options.terminal.onResize(() => {
      this.screen.invalidate();
      this.draw();
    });
    this.tick();
  }

  private tick(): void {
    this.cancelTick = this.options.scheduler.after(TICK_MS, () => {
      this.draw();
      this.tick();
    });
  }

  private soon(): void {
    this.cancelDraw ??= this.options.scheduler.after(GATHER_MS, () => {
      this.cancelDraw = undefined;
      this.draw();
    });
  }

  private draw(): void {
    const { board, title, footer, terminal, scheduler } = this.options;
    const { status } = this;
    this.screen.draw(boardFrame(board, { title, status, footer }, terminal, scheduler));
  }

  /** What was seen last stays to be read, as ordinary lines. */
  private leaveBehind(): void {
    const { board, title, out, terminal, scheduler } = this.options;
    for (const line of finalFrame(board, title, terminal, scheduler)) out.line(line);
  }
}
