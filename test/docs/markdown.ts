/** As much of Markdown as the tests of the docs need. */

/** A fenced code block. */
export interface CodeBlock {
  /** The word after the fence: `ts`, `sh`. */
  readonly language: string;
  /** The words after that, which say how a test treats the block. */
  readonly marks: readonly string[];
  readonly code: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

const FENCE = /^```(.*)$/;

/** The code blocks of a page, in order. @throws when one is not closed */
export function codeBlocks(text: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const info = FENCE.exec(lines[at] ?? "")?.[1];
    if (info === undefined) continue;
    const end = lines.indexOf("```", at + 1);
    if (end === -1) throw new Error(`the code block at line ${at + 1} is not closed`);
    const [language = "", ...marks] = info.split(/\s+/);
    blocks.push({ language, marks, code: lines.slice(at + 1, end).join("\n"), line: at + 1 });
    at = end;
  }
  return blocks;
}

/** The targets of the links of a page, code aside. */
export function links(text: string): readonly string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
}

/** The anchors that GitHub makes of the headings of a page. */
export function anchors(text: string): ReadonlySet<string> {
  const headings = [...withoutCode(text, { inline: false }).matchAll(/^#+ +(.*)$/gm)].map(
    ([, heading = ""]) => heading,
  );
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function withoutCode(text: string, { inline = true } = {}): string {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
  return inline ? prose.replace(/`[^`\n]*`/g, "") : prose;
}

/** A table. Cells may hold Markdown; bars in them are escaped. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Text as inline code; nothing for nothing. */
export function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}
