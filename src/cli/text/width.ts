/**
 * How wide text is on a terminal, and how it is made to fit.
 */
let segmenter: Intl.Segmenter | undefined;

/** Printable ASCII, which is nearly all there is. */
const NARROW = /^[\x20-\x7e]*$/;
const INVISIBLE = /^[\p{Mark}\p{Cf}]+$/u;
/** What takes two columns: emoji, and the scripts and forms that Unicode's East Asian Width calls wide or full-width. */
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Most text is ASCII, and needs no segmenter: making one has Node load its tables, some 10 ms. */
function graphemes(text: string): Intl.Segments {
  return (segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" })).segment(text);
}

/** How many columns `text` takes. */
export function displayWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += graphemeWidth(segment);
  return width;
}

/** `text`, or as much of it as fits in `width` columns, then with an ellipsis at its end. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 0) return "";
  let kept = "";
  let left = width - 1;
  for (const { segment } of graphemes(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}

/**
 * `text`, or as much of its two ends as fits in `width` columns, with an ellipsis between them: for ids, which often begin alike and
 * differ at the end.
 */
export function shorten(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 0) return "";
  const parts = Array.from(graphemes(text), ({ segment }) => segment);
  const tail = leading([...parts].reverse(), Math.floor((width - 1) / 2))
    .reverse()
    .join("");
  return `${leading(parts, width - 1 - displayWidth(tail)).join("")}…${tail}`;
}

/** As many of the first graphemes as fit in `width` columns. */
function leading(graphemes: readonly string[], width: number): string[] {
  let left = width;
  const beyond = graphemes.findIndex((grapheme) => (left -= graphemeWidth(grapheme)) < 0);
  return graphemes.slice(0, beyond === -1 ? undefined : beyond);
}

function graphemeWidth(grapheme: string): number {
  if (INVISIBLE.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}
