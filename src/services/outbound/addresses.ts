/** Which addresses lie inside: of this machine, of its network, or of nobody. */
import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

/** IANA's special-purpose registries (RFC 6890 and its updates), as far as nothing of them is reached over the internet. */
const INSIDE_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
const INSIDE_V6 = [
  "::/128",
  "::1/128",
  // What leads to an IPv4 address by way of a translator, which may stand inside.
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

const LOCALHOST = /^(.+\.)?localhost\.?$/;

const inside = new BlockList();
for (const range of INSIDE_V4) addRange(range, "ipv4");
for (const range of INSIDE_V6) addRange(range, "ipv6");

/**
 * Tells whether an address is one that requests on behalf of others must not reach: private, loopback, link-local, multicast,
 * reserved. What is not an address counts as inside.
 */
export function isInside(address: string): boolean {
  if (isIPv4(address)) return inside.check(address, "ipv4");
  const [plain = ""] = address.split("%");
  // An IPv4 address in IPv6's clothes is checked as what it is.
  return isIPv6(plain) ? inside.check(plain, "ipv6") : true;
}

/**
 * Tells whether a URL leads inside by what it says: its host is such an address, or `localhost` (RFC 6761). Where another name leads is
 * known when it is looked up.
 */
export function leadsInside({ hostname }: URL): boolean {
  const literal = hostname.replace(/^\[|\]$/g, "");
  return isIP(literal) === 0 ? LOCALHOST.test(hostname) : isInside(literal);
}

function addRange(range: string, family: "ipv4" | "ipv6"): void {
  const [address = "", bits = ""] = range.split("/");
  inside.addSubnet(address, Number(bits), family);
}
