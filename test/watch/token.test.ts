import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import { decodeToken, encodeToken, hashFilter } from "../../src/watch/token.js";

const HASH = hashFilter("filter");

const positions = fc.record({
  epoch: fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
  revisions: fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 32 }),
});

function reasonOf(token: string): string {
  try {
    decodeToken(token, HASH);
    return "accepted";
  } catch (thrown) {
    return thrown instanceof OpsCoreError ? thrown.reason : `defect: ${String(thrown)}`;
  }
}

describe("resume tokens", () => {
  it("give back the position they were made of", () => {
    fc.assert(
      fc.property(positions, (position) => {
        expect(decodeToken(encodeToken(HASH, position), HASH)).toEqual(position);
      }),
    );
  });

  it("take whatever else comes in for what it is", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String(),
          fc.uint8Array().map((b) => Buffer.from(b).toString("base64url")),
        ),
        (text) => {
          expect(reasonOf(text)).toBe("INVALID_RESUME_TOKEN");
        },
      ),
    );
  });

  it("are refused when a byte was cut off or changed, or still name a position", () => {
    fc.assert(
      fc.property(positions, fc.nat(), fc.nat({ max: 255 }), (position, at, byte) => {
        const bytes = Buffer.from(encodeToken(HASH, position), "base64url");
        bytes[at % bytes.length] = byte;
        expect(["INVALID_RESUME_TOKEN", "accepted"]).toContain(reasonOf(bytes.toString("base64url")));
        expect(["INVALID_RESUME_TOKEN", "accepted"]).toContain(
          reasonOf(bytes.toString("base64url", 0, at % bytes.length)),
        );
      }),
    );
  });

  it("belong to one filter", () => {
    const token = encodeToken(hashFilter("another"), { epoch: "e", revisions: [1] });
    expect(() => decodeToken(token, HASH)).toThrow(/another filter/);
  });
});
