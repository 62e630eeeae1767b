import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UnfinishedRequests } from "../../src/transport/unfinished.js";

const TIMEOUT_MS = 1000;

describe("UnfinishedRequests", () => {
  const ended: string[] = [];
  let requests: UnfinishedRequests<{ readonly name: string; readonly destroyed: boolean }>;
  const request = (name: string, destroyed = false) => {
    const made = { name, destroyed };
    requests.add(made);
    return made;
  };

  beforeEach(() => {
    vi.useFakeTimers();
    ended.length = 0;
    requests = new UnfinishedRequests(TIMEOUT_MS, ({ name }) => ended.push(name));
  });

  afterEach(() => {
    requests.close();
    vi.useRealTimers();
  });

  it("ends a request after the time-out, and before twice that", () => {
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    request("late in its generation");
    vi.advanceTimersByTime(2);
    request("early in its generation");
    vi.advanceTimersByTime(TIMEOUT_MS - 2);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ended).toEqual(["late in its generation"]);
    vi.advanceTimersByTime(TIMEOUT_MS);
    expect(ended).toEqual(["late in its generation", "early in its generation"]);
    expect(requests.size).toBe(0);
  });

  it("leaves finished requests alone, of either generation", () => {
    const old = request("old");
    vi.advanceTimersByTime(TIMEOUT_MS);
    const young = request("young");
    expect(requests.size).toBe(2);
    requests.delete(old);
    requests.delete(young);
    vi.advanceTimersByTime(3 * TIMEOUT_MS);
    expect(ended).toEqual([]);
  });

  it("does not end what is gone already", () => {
    request("gone", true);
    vi.advanceTimersByTime(2 * TIMEOUT_MS);
    expect(ended).toEqual([]);
    expect(requests.size).toBe(0);
  });
});
