/**
 * Label selectors with the syntax and the meaning of Kubernetes: `env=prod`, `env==prod`, `env!=prod`, `env in (a,b)`,
 * `env notin (a,b)`, `env`, `!env`, joined by commas. `!=` and `notin` also match where the label is missing.
 */
export type Labels = Readonly<Record<string, string>>;

/** One condition on one label. */
export interface Requirement {
  readonly key: string;
  readonly operator: "in" | "notin" | "exists" | "absent";
  /** Of `in` and `notin`; sorted, without doubles. */
  readonly values: readonly string[];
}

export interface Selector {
  /** The same for every spelling of the same selector; empty for one that selects everything. */
  readonly canonical: string;
  /** All of these must hold: for storages that have an index of labels. */
  readonly requirements: readonly Requirement[];
  matches(labels: Labels): boolean;
}

/** Thrown for text that is not a selector; the message says what and where. */
export class SelectorSyntaxError extends Error {
  override readonly name = "SelectorSyntaxError";
}

export const EVERYTHING: Selector = { canonical: "", requirements: [], matches: () => true };

const TOKEN = /(==|!=|[=!(),]|[A-Za-z0-9._/-]+)\s*/y;
const WORD = /^[A-Za-z0-9._/-]+$/;

/**
 * @param text a selector; only white space selects everything
 * @throws SelectorSyntaxError
 */
export function parseSelector(text: string): Selector {
  const requirements = new Parser(text).parse();
  if (requirements.length === 0) return EVERYTHING;
  return {
    requirements,
    canonical: [...new Set(requirements.map(print))].sort().join(","),
    matches: (labels) => requirements.every((requirement) => satisfies(labels, requirement)),
  };
}

function satisfies(labels: Labels, { key, operator, values }: Requirement): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "in":
      return value !== undefined && values.includes(value);
    case "notin":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
  }
}

function print({ key, operator, values }: Requirement): string {
  if (operator === "exists") return key;
  if (operator === "absent") return `!${key}`;
  return `${key} ${operator} (${values.join(",")})`;
}

class Parser {
  private readonly tokens: { readonly text: string; readonly at: number }[] = [];
  private next = 0;

  constructor(private readonly text: string) {
    let at = text.length - text.trimStart().length;
    while (at < text.length) {
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(text);
      if (match?.[1] === undefined) throw new SelectorSyntaxError(`unexpected character at ${at + 1} in "${text}"`);
      this.tokens.push({ text: match[1], at });
      at = TOKEN.lastIndex;
    }
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    while (this.next < this.tokens.length) {
      requirements.push(this.requirement());
      if (this.next < this.tokens.length) {
        this.expect(",");
        if (this.next === this.tokens.length) throw this.error("a requirement");
      }
    }
    return requirements;
  }

  private requirement(): Requirement {
    if (this.accept("!")) return { key: this.word("a label key"), operator: "absent", values: [] };
    const key = this.word("a label key");
    if (this.accept("=") || this.accept("==")) return { key, operator: "in", values: [this.value()] };
    if (this.accept("!=")) return { key, operator: "notin", values: [this.value()] };
    if (this.accept("in")) return { key, operator: "in", values: this.list() };
    if (this.accept("notin")) return { key, operator: "notin", values: this.list() };
    return { key, operator: "exists", values: [] };
  }

  private list(): string[] {
    this.expect("(");
    const values = new Set<string>();
    do values.add(this.value());
    while (this.accept(","));
    this.expect(")");
    return [...values].sort();
  }

  /** A value after `=` or in a list; nothing there is the empty value, as in Kubernetes. */
  private value(): string {
    const token = this.tokens[this.next]?.text;
    return token === undefined || token === "," || token === ")" ? "" : this.word("a label value");
  }

  private word(what: string): string {
    const token = this.tokens[this.next]?.text;
    if (token === undefined || !WORD.test(token)) throw this.error(what);
    this.next += 1;
    return token;
  }

  private accept(text: string): boolean {
    if (this.tokens[this.next]?.text !== text) return false;
    this.next += 1;
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw this.error(`"${text}"`);
  }

  private error(expected: string): SelectorSyntaxError {
    const token = this.tokens[this.next];
    const found = token === undefined ? "the end" : `"${token.text}" at ${token.at + 1}`;
    return new SelectorSyntaxError(`expected ${expected}, found ${found} in "${this.text}"`);
  }
}
