export { HpackDecoder } from "./decoder.js";
export { encodeHeaders } from "./encoder.js";
export { HeaderField, HpackError } from "./field.js";
