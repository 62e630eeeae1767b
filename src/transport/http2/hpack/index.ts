/** Header compression for HTTP/2 (RFC 7541). */
export { HpackDecoder } from "./decoder.js";
export { encodeHeaders } from "./encoder.js";
export { HpackError } from "./error.js";
export { HeaderField } from "./field.js";
