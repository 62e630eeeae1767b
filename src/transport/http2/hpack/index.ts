/** Header compression for HTTP/2 (RFC 7541). */
export { DEFAULT_TABLE_BYTES, HpackDecoder } from "./decoder.js";
export { encodeHeaders, NO_TABLE } from "./encoder.js";
export { HpackError } from "./error.js";
export { HeaderField } from "./field.js";
