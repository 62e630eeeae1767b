/** What RFC 7541 4.1 adds to the bytes of name and value, for what an entry costs beside them. */
const ENTRY_OVERHEAD_BYTES = 32;

/**
 * One field. Those in a table are shared: whoever gets the same entry twice gets the same object, so that what was found out about
 * it can be kept in `checked`. Those of the static table are shared by all connections.
 */
export class HeaderField {
  /** In bytes, as RFC 7541 4.1 counts. */
  readonly size: number;

  /** For the user: not looked at yet, allowed, not allowed. */
  checked: 0 | 1 | 2 = 0;

  /**
   * @param name one character for each byte (latin1)
   * @param value likewise
   */
  constructor(
    readonly name: string,
    readonly value: string,
  ) {
    this.size = name.length + value.length + ENTRY_OVERHEAD_BYTES;
  }
}
