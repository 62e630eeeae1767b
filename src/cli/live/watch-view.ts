import type { ClientContext } from "../connection.js";
import { printable } from "../text/printable.js";
import { span } from "../text/rich.js";
import type { Board } from "./board.js";
import { LiveView } from "./live-view.js";

/**
 * A live view of a watch that somebody has typed.
 *
 * @param name what it is a watch of
 */
export function watchView<Entry>(
  { io, out, target }: ClientContext,
  name: string,
  board: Board<Entry>,
): LiveView<Entry> {
  return new LiveView({
    board,
    title: [
      { text: printable(name), look: "bold" },
      { text: `  ${printable(target.url)} · namespace ${target.namespace}`, look: "dim" },
    ],
    footer: span("Ctrl-C ends the watch", "dim"),
    terminal: io.stdout,
    out,
    scheduler: io.scheduler,
  });
}
