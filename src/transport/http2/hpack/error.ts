/** The block cannot be decoded: the connection is over (RFC 9113 4.3, COMPRESSION_ERROR). */
export class HpackError extends Error {
  override readonly name = "HpackError";
}
