import { describe, expect, test } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import { pageToken, readPageToken } from "../../src/services/paging.js";

const query = ["ListAgents", "default", "env in (prod)", ["a"], [1, 2]];

describe("page tokens", () => {
  test.each(["", "0", "a1z", "ünïcode/cursor", "x".repeat(1_000)])("carry the cursor %s there and back", (cursor) => {
    const token = pageToken(query, cursor);
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(readPageToken(query, token)).toBe(cursor);
  });

  test("are empty at both ends", () => {
    expect(pageToken(query, undefined)).toBe("");
    expect(readPageToken(query, "")).toBeUndefined();
  });

  test.each([
    ["another namespace", ["ListAgents", "other", "env in (prod)", ["a"], [1, 2]]],
    ["another method", ["ListSessions", "default", "env in (prod)", ["a"], [1, 2]]],
    ["values that moved to another filter", ["ListAgents", "default", "env in (prod)", ["a", 1], [2]]],
    ["text that looks like several filters", ["ListAgents", "default", 'env in (prod)",["a"],[1,2]', [], []]],
  ])("are refused with %s", (_what, other) => {
    expect(() => readPageToken(other, pageToken(query, "1"))).toThrow(
      expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" }),
    );
  });

  const token = pageToken(query, "cursor");
  test.each([
    ["nonsense", "nonsense"],
    ["white space", `${token} `],
    ["padding", `${token}=`],
    ["the other base64 alphabet", "+/+/+/+/+/+/+/+/"],
    ["a shortened token", token.slice(0, 10)],
    ["a changed first character", (token.startsWith("A") ? "B" : "A") + token.slice(1)],
    ["bytes that are not UTF-8", Buffer.from([0xff, 0xfe, 0xfd, 0xfc]).toString("base64url")],
    ["a giant", "A".repeat(1_000_000)],
  ])("are refused when they are %s", (_what, forged) => {
    expect(() => readPageToken(query, forged)).toThrow(OpsCoreError);
  });
});
