import type { Terminal } from "../io.js";
import { cut, render, type Rich } from "../text/rich.js";
import type { Style } from "../text/style.js";

/** Control sequences of xterm, which every terminal of today understands. */
const CSI = "\x1b[";
const ENTER = `${CSI}?1049h${CSI}?25l${CSI}2J`;
const LEAVE = `${CSI}?25h${CSI}?1049l`;
const BEGIN_UPDATE = `${CSI}?2026h`;
const END_UPDATE = `${CSI}?2026l`;

/**
 * The whole terminal as a picture that is drawn over and over. It uses the alternate screen, so that what stood there before comes back
 * when it is left, and sends only the lines that have changed, so that nothing flickers.
 */
export class Screen {
  private shown: string[] = [];
  private open = false;

  constructor(
    private readonly terminal: Terminal,
    private readonly style: Style,
  ) {}

  enter(): void {
    if (this.open) return;
    this.open = true;
    this.shown = [];
    this.terminal.write(ENTER);
  }

  /** Gives the terminal back as it was. Harmless when it was not taken. */
  leave(): void {
    if (!this.open) return;
    this.open = false;
    this.terminal.write(LEAVE);
  }

  /** Forgets what is shown, for instance because the terminal has another size: the next picture is drawn whole. */
  invalidate(): void {
    if (!this.open) return;
    this.shown = [];
    this.terminal.write(`${CSI}2J`);
  }

  /** Shows `lines`, from the top, as far as the terminal has room for them. */
  draw(lines: readonly Rich[]): void {
    if (!this.open) return;
    const { columns, rows } = this.terminal;
    const next = lines.slice(0, rows).map((line) => render(cut(line, columns), this.style));
    let update = "";
    for (let row = 0; row < Math.max(next.length, this.shown.length); row += 1) {
      const line = next[row] ?? "";
      // Cleared before, not after: at the right edge clearing would take the last character along.
      if (line !== (this.shown[row] ?? "")) update += `${CSI}${row + 1};1H${CSI}2K${line}`;
    }
    this.shown = next;
    if (update !== "") this.terminal.write(BEGIN_UPDATE + update + END_UPDATE);
  }
}
