import { describe, expect, it } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import { SIGNATURE_WINDOW_MS, SignatureCheck, type HeaderReader } from "../../src/interceptors/index.js";
import { createMemoryStorage } from "../../src/storage/memory/index.js";
import { CLAIM_MEMORY_MS } from "../../src/storage/storage.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { signed } from "../transport/http/harness.js";

const SECRET = "whsec";
const BODY = '{"event_type":"REGISTER"}';
const START = 1_800_000_000_000;

function setUp(clock = new FakeClock(START)) {
  const storage = createMemoryStorage({ clock });
  const check = new SignatureCheck({ secret: SECRET, clock, claim: (key) => storage.claim(key) });
  return { clock, check };
}

const reader = (values: Readonly<Record<string, string>>): HeaderReader => ({ get: (name) => values[name] ?? null });

async function reasonOf(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof OpsCoreError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return "none";
}

/** Made with `openssl dgst -sha256 -hmac` and with Python's hmac. */
const VECTORS = [
  ["whsec", "1800000000", BODY, "a36da439db46d5eb4ca77ca9134607600afbd5438702aa304b112793a9cec043"],
  ["whsec", "1800000000.25", "", "2cb9cf4bf3385d4528d4f2a922fe40a83fee61ad398b3891716f1da9578a18f1"],
  [
    "whsec",
    "2027-01-15T08:00:00+00:00",
    "\u00e9\u{1f600}",
    "d9258bccef35b75486992cdc355fa0654710c6916be350a3abc3602f9f950933",
  ],
] as const;

describe("a signature", () => {
  it.each(VECTORS)("with %j at %s is right", (_secret, timestamp, body, signature) => {
    const header = reader({ "x-agentkit-timestamp": timestamp, "x-agentkit-signature": signature });
    const sender = { namespace: "default", actor: "webhook" };
    expect(setUp().check.authenticate(header, Buffer.from(body))).toEqual(sender);
    const upper = reader({ "x-agentkit-timestamp": timestamp, "x-agentkit-signature": signature.toUpperCase() });
    expect(setUp().check.authenticate(upper, Buffer.from(body))).toEqual(sender);
  });

  const good = signed(SECRET, "1800000000", BODY);
  const signature = good["x-agentkit-signature"] ?? "";
  const timestamp = "1800000000";
  it.each([
    ["of another body", good, `${BODY} `],
    ["of another time", { ...good, "x-agentkit-timestamp": "1800000001" }, BODY],
    ["with another secret", signed("other", timestamp, BODY), BODY],
    ["that is empty", { ...good, "x-agentkit-signature": "" }, BODY],
    ["that is short", { ...good, "x-agentkit-signature": signature.slice(0, 62) }, BODY],
    ["that is long", { ...good, "x-agentkit-signature": `${signature}00` }, BODY],
    ["that is no hex", { ...good, "x-agentkit-signature": "z".repeat(64) }, BODY],
    ["that came twice", { ...good, "x-agentkit-signature": `${signature}, ${signature}` }, BODY],
    ["with a prefix", { ...good, "x-agentkit-signature": `sha256=${signature}` }, BODY],
  ])("%s is not right", async (_, headers, body) => {
    const outcome = await reasonOf(() => setUp().check.authenticate(reader(headers), Buffer.from(body)));
    expect(outcome).toBe("CREDENTIALS_INVALID: the signature is not the right one");
  });

  it.each([[{}], [{ "x-agentkit-signature": signature }], [{ "x-agentkit-timestamp": timestamp }]])(
    "is missed in %j",
    async (headers) => {
      const outcome = await reasonOf(() => setUp().check.authenticate(reader(headers), Buffer.from(BODY)));
      expect(outcome).toBe("CREDENTIALS_MISSING: x-agentkit-signature and x-agentkit-timestamp are wanted");
    },
  );
});

describe("the time of a signature", () => {
  const outcomeAt = (text: string) =>
    reasonOf(() => setUp().check.authenticate(reader(signed(SECRET, text, BODY)), Buffer.from(BODY)));
  const seconds = (ms: number): string => String((START + ms) / 1000);
  const iso = (ms: number): string => new Date(START + ms).toISOString();

  it.each([0, -SIGNATURE_WINDOW_MS, SIGNATURE_WINDOW_MS, -299_999, 1])("may be %i ms from now", async (ms) => {
    expect(await outcomeAt(seconds(ms))).toBe("none");
    expect(await outcomeAt(iso(ms))).toBe("none");
  });

  it.each([-SIGNATURE_WINDOW_MS - 1, SIGNATURE_WINDOW_MS + 1, -START + 1_000_000_000])(
    "may not be %i ms from now",
    async (ms) => {
      const outcome = "CREDENTIALS_INVALID: the signature was made more than 5 minutes ago, or ahead of now";
      expect(await outcomeAt(iso(ms))).toBe(outcome);
    },
  );

  it.each(["", "yesterday", "1e9", "1800000000 ", "0x6b49d200"])("may not be %j", async (text) => {
    expect(await outcomeAt(text)).toBe(
      "CREDENTIALS_INVALID: x-agentkit-timestamp is neither Unix seconds nor ISO 8601",
    );
  });
});

describe("a signature is taken", () => {
  const header = reader(signed(SECRET, "1800000000", BODY));
  const used = "CREDENTIALS_INVALID: the signature was used before";

  it("once, in whatever case it is written", async () => {
    const { check } = setUp();
    const headers = signed(SECRET, "1800000000", BODY);
    await check.takeOnce(header);
    const upper = { ...headers, "x-agentkit-signature": headers["x-agentkit-signature"]?.toUpperCase() ?? "" };
    expect(await reasonOf(() => check.takeOnce(header))).toBe(used);
    expect(await reasonOf(() => check.takeOnce(reader(upper)))).toBe(used);
    await check.takeOnce(reader(signed(SECRET, "1800000001", BODY)));
  });

  it("once on any replica", async () => {
    const { clock, check } = setUp();
    const storage = createMemoryStorage({ clock });
    const replicas = [0, 1].map(
      () => new SignatureCheck({ secret: SECRET, clock, claim: (key) => storage.claim(key) }),
    );
    const outcomes = await Promise.all(replicas.map((replica) => reasonOf(() => replica.takeOnce(header))));
    expect(outcomes.sort()).toEqual([used, "none"]);
    await check.takeOnce(header);
  });

  it("once for as long as its time is good, even when its clock is ahead", async () => {
    const { clock, check } = setUp();
    const ahead = signed(SECRET, String((START + SIGNATURE_WINDOW_MS) / 1000), BODY);
    await check.takeOnce(reader(ahead));
    while (clock.now() <= START + 2 * SIGNATURE_WINDOW_MS) {
      expect(await reasonOf(() => check.takeOnce(reader(ahead)))).toBe(used);
      clock.advance(10_000);
    }
    expect(await reasonOf(() => check.authenticate(reader(ahead), Buffer.from(BODY)))).toMatch(/^CREDENTIALS_INVALID/);
    expect(CLAIM_MEMORY_MS).toBeGreaterThan(2 * SIGNATURE_WINDOW_MS);
  });

  it("never, when no more can be remembered", async () => {
    const clock = new FakeClock(START);
    const storage = createMemoryStorage({ clock, maxClaims: 1 });
    const check = new SignatureCheck({ secret: SECRET, clock, claim: (key) => storage.claim(key) });
    await check.takeOnce(header);
    const outcome = await reasonOf(() => check.takeOnce(reader(signed(SECRET, "1800000001", BODY))));
    expect(outcome).toMatch(/^TOO_MANY/);
    clock.advance(CLAIM_MEMORY_MS);
    await check.takeOnce(reader(signed(SECRET, "1800000001", BODY)));
  });
});
