import type { Terminal } from "../io.js";
import { render, type Rich } from "./rich.js";
import { createStyle, wantsColour, type Style } from "./style.js";
import { formatTable, type Column, type Row } from "./table.js";

/** Writes lines, tables and JSON to one terminal, or to whatever stands in its place. */
export class Printer {
  readonly style: Style;

  constructor(
    private readonly terminal: Terminal,
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.style = createStyle(wantsColour(env, terminal.isTTY));
  }

  /** Whether a person reads it. */
  get forPeople(): boolean {
    return this.terminal.isTTY;
  }

  line(line: string | Rich = ""): void {
    this.terminal.write(`${typeof line === "string" ? line : render(line, this.style)}\n`);
  }

  /** A table, on a terminal as wide as that. In a pipe nothing is cut. */
  table(columns: readonly Column[], rows: readonly Row[]): void {
    const width = this.terminal.isTTY ? this.terminal.columns : undefined;
    for (const line of formatTable(columns, rows, width)) this.line(line);
  }

  /** Names and values below each other; those without a value are left out. */
  fields(fields: readonly (readonly [name: string, value: Rich])[]): void {
    const given = fields.filter(([, value]) => value.length > 0);
    const width = Math.max(...given.map(([name]) => name.length));
    for (const [name, value] of given) this.line([{ text: name.padEnd(width + 2), look: "dim" }, ...value]);
  }

  /** One JSON document. */
  json(document: unknown): void {
    this.line(JSON.stringify(document, undefined, 2));
  }

  /** One JSON document on one line, as one of many. */
  jsonLine(document: unknown): void {
    this.line(JSON.stringify(document));
  }
}
