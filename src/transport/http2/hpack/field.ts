/** RFC 7541 §4.1: what a field counts for beyond its bytes. */
const OVERHEAD_BYTES = 32;

/**
 * One field of a header block. The fields of the tables are shared: who gets one twice gets the same object, so that what was found
 * out about it can be kept with it.
 */
export class HeaderField {
  /** Whether name and value were found to be allowed, for whoever asks that: 0 not known yet, 1 yes, 2 no. */
  checked: 0 | 1 | 2 = 0;
  /** In bytes, as HPACK counts. */
  readonly size: number;

  /** Name and value are latin1. */
  constructor(
    readonly name: string,
    readonly value: string,
  ) {
    this.size = name.length + value.length + OVERHEAD_BYTES;
  }
}

/** A header block that cannot be decoded. Nothing that comes after it can be understood: the connection is over. */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
