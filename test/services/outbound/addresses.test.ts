import { describe, expect, it } from "vitest";
import { isInside } from "../../../src/services/outbound/addresses.js";

describe("isInside", () => {
  it.each([
    ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1"],
    ...["172.31.255.255", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"],
    ...["::", "::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "ff02::1", "2001:db8::1", "2002:7f00:1::"],
    ...["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1", "64:ff9b::a00:1"],
    ...["", "localhost", "1.2.3", "1.2.3.4.5"],
  ])("says yes of %s", (address) => {
    expect(isInside(address)).toBe(true);
  });

  it.each([
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
  ])("says no of %s", (address) => {
    expect(isInside(address)).toBe(false);
  });
});
