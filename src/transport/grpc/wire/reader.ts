/** Thrown inside, once and for all: nobody looks at it, so it needs no stack of its own. */
const UNUSUAL = new Error("left to the library");

/** Factors from here on would take a number beyond what is exact. */
const MAX_FACTOR = 2 ** 49;

/** Reads protobuf's wire format as far as it is plain, and throws for everything else. */
export class Reader {
  at = 0;

  constructor(
    private readonly bytes: Buffer,
    public end: number,
  ) {}

  get atEnd(): boolean {
    return this.at === this.end;
  }

  /** An unsigned number of up to 53 bits. */
  varint(): number {
    const { bytes, end } = this;
    let value = 0;
    for (let factor = 1; this.at < end && factor <= MAX_FACTOR; factor *= 0x80) {
      const byte = bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.giveUp();
    }
    return this.giveUp();
  }

  /** Where something with its length before it ends. */
  limit(): number {
    const limit = this.varint() + this.at;
    return limit <= this.end ? limit : this.giveUp();
  }

  /** ASCII, as nearly every text on this path is. */
  text(): string {
    const limit = this.limit();
    const start = this.at;
    const { bytes } = this;
    for (let i = start; i < limit; i++) if ((bytes[i] ?? 0) > 0x7f) this.giveUp();
    this.at = limit;
    return bytes.toString("latin1", start, limit);
  }

  /** @throws what {@link isUnusual} knows */
  giveUp(): never {
    throw UNUSUAL;
  }
}

export function isUnusual(thrown: unknown): boolean {
  return thrown === UNUSUAL;
}
