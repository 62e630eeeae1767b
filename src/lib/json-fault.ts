/**
 * Where a text stops being JSON (RFC 8259), and what should stand there. `JSON.parse` tells that in the words of each version of
 * Node, and often without the place.
 */

export interface JsonFault {
  /** Into the text. */
  readonly offset: number;
  /** `expected a comma or ], found {` */
  readonly description: string;
}

/** What may come next. `first`: right after the bracket that began the object or list, so that it may end at once. */
type Wanted = "value" | "first value" | "key" | "first key" | "colon" | "more" | "end";

/** A number, `true`, `false` or `null`, and nothing that goes on. */
const WORD = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const SPACE = /[ \t\n\r]*/y;
/** What is found is told as a whole, as far as it is short. */
const FOUND = /"[^"\\\p{C}]{0,40}"|[\w.+-]{1,40}|[^\p{C}]/uy;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** @returns undefined when the text is JSON */
export function jsonFault(text: string): JsonFault | undefined {
  return new Reader(text).read();
}

class Reader {
  private at = 0;
  /** What ends the objects and lists that are open, the innermost last. */
  private readonly open: ("}" | "]")[] = [];
  private wanted: Wanted = "value";

  constructor(private readonly text: string) {}

  read(): JsonFault | undefined {
    for (;;) {
      this.skip(SPACE);
      if (this.wanted === "end" && this.at === this.text.length) return undefined;
      const fault = this.take(this.text.charAt(this.at));
      if (fault !== undefined) return fault;
    }
  }

  private take(next: string): JsonFault | undefined {
    const closing = this.open.at(-1);
    switch (this.wanted) {
      case "first value":
      case "value":
        if (next === closing && this.wanted === "first value") return this.close();
        return this.value(next);
      case "first key":
      case "key":
        if (next === '"') return this.string("colon");
        if (next === closing && this.wanted === "first key") return this.close();
        return this.unexpected('a key in double quotes (")');
      case "colon":
        return next === ":" ? this.go("value") : this.unexpected("a colon");
      case "more":
        if (next === closing) return this.close();
        return next === "," ? this.go(closing === "}" ? "key" : "value") : this.unexpected(`a comma or ${closing}`);
      case "end":
        return this.unexpected("the end of the file");
    }
  }

  private value(next: string): JsonFault | undefined {
    switch (next) {
      case "{":
        this.open.push("}");
        return this.go("first key");
      case "[":
        this.open.push("]");
        return this.go("first value");
      case '"':
        return this.string(this.afterValue);
      default: {
        const word = this.match(WORD);
        return word === "" ? this.unexpected("a value") : this.go(this.afterValue, word.length);
      }
    }
  }

  private string(then: Wanted): JsonFault | undefined {
    const { text, at: start } = this;
    for (let at = start + 1; at < text.length; at += 1) {
      const next = text.charAt(at);
      if (next === '"') return this.go(then, at + 1 - start);
      if (next < " ") {
        return { offset: at, description: "a line break, a tab or the like stands in quotes: write \\n, \\t" };
      }
      if (next !== "\\") continue;
      const escape = this.match(ESCAPE, at);
      if (escape === "") return { offset: at, description: "there is no such escape; a backslash itself is \\\\" };
      at += escape.length - 1;
    }
    return { offset: start, description: 'the text that begins here has no quote (") at its end' };
  }

  private close(): JsonFault | undefined {
    this.open.pop();
    return this.go(this.afterValue);
  }

  private get afterValue(): Wanted {
    return this.open.length === 0 ? "end" : "more";
  }

  /** Goes on, so that nothing is wrong yet. */
  private go(wanted: Wanted, length = 1): JsonFault | undefined {
    this.at += length;
    this.wanted = wanted;
    return undefined;
  }

  private unexpected(expected: string): JsonFault {
    const { text, at } = this;
    const found = at === text.length ? "the end of the file" : this.match(FOUND) || JSON.stringify(text.charAt(at));
    return { offset: at, description: `expected ${expected}, found ${found}` };
  }

  private skip(pattern: RegExp): void {
    this.at += this.match(pattern).length;
  }

  private match(pattern: RegExp, at = this.at): string {
    pattern.lastIndex = at;
    return pattern.exec(this.text)?.[0] ?? "";
  }
}
