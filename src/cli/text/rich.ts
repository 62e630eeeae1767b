/**
 * Text in several looks. Looks are kept beside the text, not in it, so that it can be measured, cut and padded; they are put in when
 * it is printed.
 */
import { plain, type Look, type Style } from "./style.js";
import { displayWidth, shorten, truncate } from "./width.js";

export interface Span {
  /** Must be printable. */
  readonly text: string;
  readonly look?: Look | undefined;
}

/** What stands on one line, or in one place of a table. */
export type Rich = readonly Span[];

/** One span, or none when there is no text. */
export function span(text: string, look?: Look): Rich {
  return text === "" ? [] : [{ text, look }];
}

export function richWidth(rich: Rich): number {
  return rich.reduce((width, { text }) => width + displayWidth(text), 0);
}

/** `rich`, or as much of it as fits in `width` columns, then with an ellipsis at its end. */
export function cut(rich: Rich, width: number): Rich {
  if (richWidth(rich) <= width) return rich;
  const kept: Span[] = [];
  let left = width;
  for (const { text, look } of rich) {
    const textWidth = displayWidth(text);
    if (textWidth < left) {
      kept.push({ text, look });
      left -= textWidth;
      continue;
    }
    // There is more than fits, so that here, at the latest, an ellipsis is due.
    kept.push({ text: textWidth === left ? truncate(`${text} `, left) : truncate(text, left), look });
    break;
  }
  return kept;
}

/** `rich`, where it does not fit in `width` columns with an ellipsis in the middle of its last text, which is an id. */
export function cutMiddle(rich: Rich, width: number): Rich {
  const before = rich.slice(0, -1);
  const room = width - richWidth(before);
  const [last] = rich.slice(-1);
  return last === undefined || room <= 0 ? cut(rich, width) : [...before, { ...last, text: shorten(last.text, room) }];
}

/** `rich` with spaces, to `width` columns. */
export function fill(rich: Rich, width: number, align: "left" | "right" = "left"): Rich {
  const missing = width - richWidth(rich);
  if (missing <= 0) return rich;
  const space = { text: " ".repeat(missing) };
  return align === "left" ? [...rich, space] : [space, ...rich];
}

/** As it is printed. Spaces at its end are left out. */
export function render(rich: Rich, style: Style = plain): string {
  return rich
    .map(({ text, look }) => (look === undefined ? text : style(look, text)))
    .join("")
    .trimEnd();
}
