/** Header blocks, for the tests of HPACK. */
import { HpackDecoder, type HeaderField } from "../../../src/transport/http2/hpack/index.js";

export type Pair = readonly [name: string, value: string];

export function decodeFields(block: Buffer, decoder = new HpackDecoder()): HeaderField[] {
  const fields: HeaderField[] = [];
  decoder.decode(block, 0, block.length, (field) => fields.push(field));
  return fields;
}

export function decode(block: Buffer, decoder = new HpackDecoder()): Pair[] {
  return decodeFields(block, decoder).map(({ name, value }) => [name, value]);
}

export const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(" ", ""), "hex");
