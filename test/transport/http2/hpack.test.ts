/** Against the examples of RFC 7541, and against blocks that lie. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeHeaders, HeaderField, HpackDecoder, HpackError } from "../../../src/transport/http2/hpack/index.js";
import { decode, decodeFields, hex, type Pair } from "./blocks.js";

const FIRST_REQUEST: Pair[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const REQUESTS: Pair[][] = [
  FIRST_REQUEST,
  [...FIRST_REQUEST, ["cache-control", "no-cache"]],
  [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ],
];
const response = (status: string, date: string): Pair[] => [
  [":status", status],
  ["cache-control", "private"],
  ["date", date],
  ["location", "https://www.example.com"],
];
const RESPONSES: Pair[][] = [
  response("302", "Mon, 21 Oct 2013 20:13:21 GMT"),
  response("307", "Mon, 21 Oct 2013 20:13:21 GMT"),
  [
    ...response("200", "Mon, 21 Oct 2013 20:13:22 GMT"),
    ["content-encoding", "gzip"],
    ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

describe("the examples of RFC 7541, Appendix C", () => {
  it.each([
    ["C.2.1", "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key", "custom-header"],
    ["C.2.2", "040c 2f73 616d 706c 652f 7061 7468", ":path", "/sample/path"],
    ["C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", "password", "secret"],
    ["C.2.4", "82", ":method", "GET"],
  ])("%s", (_, block, name, value) => {
    expect(decode(hex(block))).toEqual([[name, value]]);
  });

  it.each([
    [
      "C.3",
      REQUESTS,
      4096,
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
    ],
    [
      "C.4",
      REQUESTS,
      4096,
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
    ],
    [
      "C.5",
      RESPONSES,
      256,
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e
         1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        "4803 3330 37c1 c0bf",
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d
         4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572
         7369 6f6e 3d31`,
      ],
    ],
    [
      "C.6",
      RESPONSES,
      256,
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b
         97c8 e9ae 82ae 43d3`,
        "4883 640e ffc1 c0bf",
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf
         cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
    ],
  ])("%s", (_, messages, maxTableBytes, blocks) => {
    const decoder = new HpackDecoder({ maxTableBytes });
    expect(blocks.map((block) => decode(hex(block.replaceAll(/\s/g, "")), decoder))).toEqual(messages);
  });
});

describe("the tables", () => {
  it("give the same object for the same entry", () => {
    const decoder = new HpackDecoder();
    const [get, added] = decodeFields(hex("82 4001610162"), decoder);
    expect(decodeFields(hex("82be"), decoder)).toEqual([get, added]);
    const [getAgain, addedAgain] = decodeFields(hex("82be"), decoder);
    expect(getAgain).toBe(get);
    expect(addedAgain).toBe(added);
    expect(decodeFields(hex("82"))[0]).toBe(get);
    expect(added).toMatchObject({ name: "a", value: "b", size: 34, checked: 0 });
  });

  it("lose the oldest entry first, and all to one that is too large", () => {
    const decoder = new HpackDecoder({ maxTableBytes: 3 * 34 });
    const literal = (value: string) => Buffer.from(`\x40\x01a${String.fromCharCode(value.length)}${value}`, "latin1");
    const table = () => {
      const found: string[] = [];
      for (let index = 62; ; index++) {
        try {
          found.push(...decode(Buffer.of(0x80 | index), decoder).map(([, value]) => value));
        } catch (error) {
          expect(error).toBeInstanceOf(HpackError);
          return found;
        }
      }
    };
    const recent: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const value = String(i % 10);
      decode(literal(value), decoder);
      recent.unshift(value);
      expect(table()).toEqual(recent.slice(0, 3));
    }
    expect(decode(literal("x".repeat(3 * 34 - 33)), decoder)).toEqual([["a", "x".repeat(3 * 34 - 33)]]);
    expect(table()).toHaveLength(1);
    decode(literal("x".repeat(3 * 34 - 32)), decoder);
    expect(table()).toEqual([]);
    decode(literal("y"), decoder);
    expect(table()).toEqual(["y"]);
  });

  it("keep the name of an entry that the field itself evicts", () => {
    const decoder = new HpackDecoder({ maxTableBytes: 40 });
    decode(hex("40 046e616d65 0161"), decoder);
    expect(decode(hex("7e 0162"), decoder)).toEqual([["name", "b"]]);
    expect(decode(hex("be"), decoder)).toEqual([["name", "b"]]);
  });

  it("follow size updates at the start of a block", () => {
    const decoder = new HpackDecoder();
    decode(hex("4001610162"), decoder);
    expect(decode(hex("3fe11f be"), decoder)).toEqual([["a", "b"]]);
    expect(decode(hex("20 3fe11f 82"), decoder)).toEqual([[":method", "GET"]]);
    expect(() => decode(hex("be"), decoder)).toThrow(HpackError);
    expect(decode(hex("20"), decoder)).toEqual([]);
    decode(hex("4001610162"), decoder);
    expect(() => decode(hex("be"), decoder)).toThrow(HpackError);
  });

  it("start with no more than 4096 bytes, whatever the settings allow", () => {
    const decoder = new HpackDecoder({ maxTableBytes: 1 << 20 });
    const large = Buffer.concat([hex("400161 7fe11e"), Buffer.alloc(4096 - 32, "x")]);
    decode(large, decoder);
    expect(() => decode(hex("be"), decoder)).toThrow(HpackError);
    decode(Buffer.concat([hex("3fe13f"), large]), decoder);
    expect(decode(hex("be"), decoder)).toHaveLength(1);
  });
});

describe("a block that lies", () => {
  const cut = /ends in the middle of a field/;
  it.each([
    ["index 0", "80", /no entry 0 /],
    ["an index beyond the static table", "be", /no entry 62 /],
    ["a name beyond the static table", "7e0161", /no entry 62 /],
    ["an index far beyond", "ffffffff07", /no entry/],
    ["an integer above 2^31", "ff81ffffff07", /too large/],
    ["an integer of six bytes", "ff808080808001", /too many bytes/],
    ["an endless integer", "ff" + "80".repeat(100), /too many bytes/],
    ["an endless integer that ends", "ff8080", cut],
    ["an index cut short", "ff", cut],
    ["a literal without a name", "40", cut],
    ["a name cut short", "400a6375", cut],
    ["a literal without a value", "400161", cut],
    ["a value cut short", "40016105", cut],
    ["a value longer than anything", "4001617fffffffff06", cut],
    ["a Huffman value cut short", "40016185aec3", cut],
    ["a size update above the limit", "3fe21f", /asks for 4097 bytes of at most 4096/],
    ["a size update after a field", "8220", /size update/],
    ["three size updates", "202020", /size update/],
    ["a size update cut short", "3f", cut],
    ["padding of 8 bits", "40016182 1fff", /middle of a symbol/],
    ["padding of a whole byte", "40016181 ff", /middle of a symbol/],
    ["padding of zeros", "40016181 18", /middle of a symbol/],
    ["padding that is not all ones", "40016181 1d", /middle of a symbol/],
    ["an EOS", "40016184 ffffffff", /EOS/],
    ["an EOS between symbols", "40016186 1fffffffff1f", /EOS/],
  ])("%s", (_, block, message) => {
    const bytes = hex(block);
    expect(() => decode(bytes)).toThrow(HpackError);
    expect(() => decode(bytes)).toThrow(message);
  });

  it("may pad with up to 7 bits", () => {
    expect(decode(hex("400161 81 1f"))).toEqual([["a", "a"]]);
    // ":" has 7 bits, "0" has 5: 1011100 00000 + 4 of padding; "X" has 8; NUL has 13.
    expect(decode(hex("400161 82 b80f"))).toEqual([["a", ":0"]]);
    expect(decode(hex("400161 81 fc"))).toEqual([["a", "X"]]);
    expect(decode(hex("400161 82 ffc7"))).toEqual([["a", "\0"]]);
    // Five symbols of 5 bits and 7 of padding.
    expect(decode(hex("400161 84 18c6007f"))).toEqual([["a", "aaa00"]]);
    expect(decode(hex("400161 80"))).toEqual([["a", ""]]);
  });

  it("does not read beyond its end, nor before its start", () => {
    const bytes = hex("ff 400161 81 1f ff");
    const fields: Pair[] = [];
    new HpackDecoder().decode(bytes, 1, 6, ({ name, value }) => fields.push([name, value]));
    expect(fields).toEqual([["a", "a"]]);
    expect(() => new HpackDecoder().decode(bytes, 1, 5, () => undefined)).toThrow(HpackError);
  });

  it("gives fields or an HpackError", () => {
    const representation = fc.constantFrom(
      0x80,
      0x82,
      0xbe,
      0xbf,
      0xff,
      0x40,
      0x41,
      0x7e,
      0x7f,
      0x20,
      0x3f,
      0x00,
      0x10,
      0x0f,
    );
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(representation, fc.uint8Array({ maxLength: 6 }), fc.boolean(), fc.uint8Array({ maxLength: 30 }))
        .map(([first, name, huffman, value]) =>
          Uint8Array.of(first, name.length, ...name, (huffman ? 0x80 : 0) | value.length, ...value),
        ),
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 6 }), { maxLength: 4 }), (blocks) => {
        const decoder = new HpackDecoder({ maxTableBytes: 128 });
        for (const pieces of blocks) {
          try {
            const fields = decodeFields(Buffer.concat(pieces), decoder);
            expect(fields.every((field) => field instanceof HeaderField)).toBe(true);
          } catch (error) {
            if (!(error instanceof HpackError)) throw error;
          }
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe("encodeHeaders", () => {
  it("indexes statuses and names of the static table, and skips what is undefined", () => {
    expect(encodeHeaders({ ":status": 200, age: undefined, date: "x" })).toEqual(hex("88 0f12 0178"));
    expect(encodeHeaders({ ":status": "201" })).toEqual(hex("08 03323031"));
    expect(encodeHeaders({ "x-a": ["1", "2"], "x-b": [] })).toEqual(hex("00 03782d61 0131  00 03782d61 0132"));
    expect(encodeHeaders({})).toEqual(Buffer.alloc(0));
  });

  it("has no limit of its own", () => {
    for (const length of [0, 24, 25, 126, 127, 128, 254, 255, 4096, 65_536, 3_000_000]) {
      const fields: Pair[] = [
        ["x-long", "\xff".repeat(length)],
        ["x-after", "1"],
      ];
      expect(decode(encodeHeaders(Object.fromEntries(fields)))).toEqual(fields);
    }
  });

  it("gives blocks that the next call does not touch", () => {
    const block = encodeHeaders({ "x-a": "first" });
    encodeHeaders({ "x-b": "again" });
    expect(decode(block)).toEqual([["x-a", "first"]]);
  });
});
