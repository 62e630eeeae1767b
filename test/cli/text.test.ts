import fc from "fast-check";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { printable } from "../../src/cli/text/printable.js";
import { cut, fill, render, richWidth, span, type Rich } from "../../src/cli/text/rich.js";
import { createStyle, plain, wantsColour } from "../../src/cli/text/style.js";
import { formatTable, type Column } from "../../src/cli/text/table.js";
import { formatAge, formatClock, formatTime } from "../../src/lib/time-text.js";
import { displayWidth, shorten, truncate } from "../../src/cli/text/width.js";

describe("the width of text", () => {
  it.each([
    ["", 0],
    ["writer-1", 8],
    ["Grüße", 5],
    ["e\u0301", 1],
    ["漢字", 4],
    ["日本語 ok", 9],
    ["한글", 4],
    ["ＡＢ", 4],
    ["👍", 2],
    ["👩‍👩‍👧", 2],
    ["✍️", 2],
    ["→ ● ○ …", 7],
    ["a\u200bb", 2],
  ])("of %j is %i", (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it.each([
    ["writer", 6, "writer"],
    ["writer", 5, "writ…"],
    ["writer", 1, "…"],
    ["writer", 0, ""],
    ["漢字漢字", 5, "漢字…"],
    ["漢字漢字", 4, "漢…"],
  ])("%j in %i columns is %j", (text, width, expected) => {
    expect(truncate(text, width)).toBe(expected);
  });

  it.each([
    ["writer", 6, "writer"],
    ["writer", 5, "wr…er"],
    ["writer", 4, "wr…r"],
    ["writer", 2, "w…"],
    ["writer", 1, "…"],
    ["writer", 0, ""],
    ["漢字漢字", 7, "漢字…字"],
    ["漢字漢字", 6, "漢…字"],
  ])("%j with both ends in %i columns is %j", (text, width, expected) => {
    expect(shorten(text, width)).toBe(expected);
  });

  it("is never more than was asked for", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(30), (text, width) => {
        expect(displayWidth(truncate(text, width))).toBeLessThanOrEqual(width);
        expect(displayWidth(shorten(text, width))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe("text from elsewhere", () => {
  it.each([
    ["plain → text, 漢字 too", "plain → text, 漢字 too"],
    ["two\nlines\tand\ra tab", "two lines and a tab"],
    ["\x1b[2J\x1b[31mred\x07", "\\x1b[2J\\x1b[31mred\\x07"],
    ["\x9b31m", "\\x9b31m"],
    ["abc\u202edef\u2066", "abc\\u202edef\\u2066"],
  ])("%j is printed as %j", (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it("never steers the terminal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

describe("colours", () => {
  it.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ TERM: "dumb" }, true, false],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false, true],
  ])("with %j on a terminal (%s): %s", (env, isTTY, expected) => {
    expect(wantsColour(env, isTTY)).toBe(expected);
  });

  it("are put around text, and around nothing else", () => {
    const style = createStyle(true);
    expect(style("red", "x")).toBe("\x1b[31mx\x1b[39m");
    expect(style("red", "")).toBe("");
    expect(plain("red", "x")).toBe("x");
  });
});

describe("rich text", () => {
  const rich: Rich = [{ text: "IDLE", look: "cyan" }, { text: " → ", look: "dim" }, { text: "ACTIVE" }];

  it("keeps its looks when it is cut", () => {
    expect(cut(rich, 13)).toEqual(rich);
    expect(render(cut(rich, 9))).toBe("IDLE → A…");
    expect(render(cut(rich, 7))).toBe("IDLE →…");
    expect(render(cut(rich, 4))).toBe("IDL…");
    expect(cut(rich, 4)).toEqual([{ text: "IDL…", look: "cyan" }]);
  });

  it("is filled on either side", () => {
    expect(fill(span("ab"), 4)).toEqual([{ text: "ab" }, { text: "  " }]);
    expect(render(fill(span("ab"), 4, "right"))).toBe("  ab");
    expect(fill(span("abcde"), 4)).toEqual(span("abcde"));
  });

  it("fits in any width", () => {
    const spans = fc.array(fc.record({ text: fc.string({ unit: "grapheme" }) }));
    fc.assert(
      fc.property(spans, fc.nat(40), (any, width) => {
        expect(richWidth(cut(any, width))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe("tables", () => {
  const columns: readonly Column[] = [
    { title: "ID", min: 4 },
    { title: "AGE", align: "right" },
    { title: "LABELS", min: 6, dispensable: 2 },
    { title: "MESSAGE", min: 8, dispensable: 1 },
  ];
  const rows = [
    [span("writer-1"), span("3s"), span("env=prod"), span("drafting the third chapter")],
    [span("漢字"), span("12m05s"), [], span("ok")],
  ];
  const text = (width?: number) => formatTable(columns, rows, width).map((line) => render(line));

  it("stand in columns as wide as it takes", () => {
    expect(text()).toEqual([
      "ID           AGE  LABELS    MESSAGE",
      "writer-1      3s  env=prod  drafting the third chapter",
      "漢字      12m05s            ok",
    ]);
  });

  it("cut what may be cut where space is short", () => {
    expect(text(44)).toEqual([
      "ID           AGE  LABELS    MESSAGE",
      "writer-1      3s  env=prod  drafting the th…",
      "漢字      12m05s            ok",
    ]);
  });

  it("leave out what can be spared where cutting is not enough", () => {
    expect(text(24)[0]).toBe("ID         AGE  MESSAGE");
    expect(text(14)[0]).toBe("ID         AGE");
  });

  it("are never wider than the terminal, as long as what must stay fits", () => {
    fc.assert(
      fc.property(fc.integer({ min: 12, max: 90 }), (width) => {
        for (const line of formatTable(columns, rows, width)) expect(richWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  it("may be as long as a list that has no limit", () => {
    const many = Array.from({ length: 200_000 }, (_, i) => [span(`writer-${i}`)]);
    const lines = formatTable([{ title: "ID" }], many);
    expect(lines).toHaveLength(many.length + 1);
    expect(render(lines.at(-1) ?? [])).toBe("writer-199999");
  });

  it("have nothing at the end of a line, and no tabs", () => {
    for (const line of text()) expect(stripVTControlCharacters(line)).toMatch(/^[^\t]*[^ \t]$/);
  });
});

describe("times", () => {
  const [s, m, h, d] = [1000, 60_000, 3_600_000, 86_400_000];

  it.each([
    [-5 * s, "0s"],
    [0, "0s"],
    [59_999, "59s"],
    [m, "1m00s"],
    [3 * m + 5 * s, "3m05s"],
    [h - 1, "59m59s"],
    [2 * h + 14 * m, "2h14m"],
    [d, "1d00h"],
    [400 * d + 7 * h, "400d07h"],
  ])("%i ms are %s", (ms, expected) => {
    expect(formatAge(ms)).toBe(expected);
  });

  it("are RFC 3339 for programs and the local time for people", () => {
    const time = { $typeName: "google.protobuf.Timestamp" as const, seconds: 1_893_456_000n, nanos: 7_000_000 };
    expect(formatTime(time, false)).toBe("2030-01-01T00:00:00.007Z");
    expect(formatTime(time, true)).toMatch(/^20(29-12-31|30-01-01) \d\d:\d\d:\d\d\.007$/);
    expect(formatTime(undefined, true)).toBe("");
    expect(formatClock(1_893_456_000_007)).toMatch(/^\d\d:\d\d:\d\d\.007$/);
  });
});
