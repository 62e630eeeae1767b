/** The route of an agent's state, and every way to be refused by it, as tables of requests and exact answers. */
import { describe, expect, it } from "vitest";
import { aNotification, aReport, NOTIFY, statePath } from "./harness.js";
import {
  key,
  ACCEPTED,
  MISMATCH,
  NOT_AN_OBJECT,
  fault,
  faults,
  missing,
  notJson,
  notText,
  badJson,
  known,
  useServer,
} from "./answers.js";

const { ask, post, expectAll } = useServer();

describe("POST …/state", () => {
  const three = [missing("agentId"), missing("timestamp"), missing("state")];
  expectAll([
    ["is accepted", known, { body: aReport("known", "idle") }, 202, ACCEPTED],
    ["whatever the case", known, { body: aReport("known", "ACTIVE", { details: null }) }, 202, ACCEPTED],
    [
      "and whatever else there is",
      known,
      { body: aReport("known", "idle", { more: [1], __proto__: { x: 1 } }) },
      202,
      ACCEPTED,
    ],
    ["with a word that is no state", known, { body: aReport("known", "napping") }, 202, ACCEPTED],
    ["with an empty word", known, { body: aReport("known", "") }, 202, ACCEPTED],
    ["with a timestamp that is none", known, { body: aReport("known", "idle", { timestamp: "noon" }) }, 202, ACCEPTED],
    ["without fields", known, { body: {} }, 422, faults(...three)],
    [
      "with null in every field",
      known,
      { body: { agentId: null, timestamp: null, state: null, details: null } },
      422,
      faults(notText("agentId"), notText("timestamp"), notText("state")),
    ],
    [
      "with a number for an id",
      known,
      { body: aReport("known", "idle", { agentId: 7 }) },
      422,
      faults(notText("agentId")),
    ],
    [
      "with a list of details",
      known,
      { body: aReport("known", "idle", { details: [] }) },
      422,
      faults(fault(["body", "details"], "Input should be a valid dictionary", "dict_type")),
    ],
    ["of another agent", known, { body: aReport("other", "idle") }, 400, MISMATCH],
    ["of nobody", known, { body: aReport("", "idle") }, 400, MISMATCH],
    [
      "of an id that no agent can have",
      statePath("a%20b"),
      { body: aReport("a b", "idle") },
      422,
      faults(fault(["body", "agentId"], "Value error, must be 1 to 128 characters of [A-Za-z0-9._:-]", "value_error")),
    ],
    [
      "with details that are too large",
      known,
      { body: aReport("known", "idle", { details: { a: "x".repeat(2000) } }) },
      422,
      faults(fault(["body", "details"], "Value error, must be at most 1024 bytes as JSON", "value_error")),
    ],
    [
      "with a key that is none",
      known,
      { body: '{"agentId":"known","timestamp":"","state":"idle","details":{"a":{"__proto__":1}}}' },
      422,
      faults(fault(["body", "details", "a"], 'Value error, must not have the key "__proto__"', "value_error")),
    ],
  ]);
});

describe("a body", () => {
  expectAll([
    ["that is not there", known, { method: "POST" }, 422, faults(fault(["body"], "Field required", "missing"))],
    ["that is empty", known, { body: "" }, 422, faults(fault(["body"], "Field required", "missing"))],
    ["that is a list", known, { body: "[]" }, 422, NOT_AN_OBJECT],
    ["that is null", known, { body: "null" }, 422, NOT_AN_OBJECT],
    ["that is a string", known, { body: '"{}"' }, 422, NOT_AN_OBJECT],
    ["that ends early", known, { body: '{"agentId":' }, 422, badJson(11)],
    ["with a comma too much", known, { body: '{"a":1,}' }, 422, badJson(7)],
    ["that is not JSON at all", known, { body: "agentId=known" }, 422, badJson()],
    ["with NaN", known, { body: '{"a":NaN}' }, 422, badJson()],
    ["that is not UTF-8", known, { body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, 422, badJson()],
    [
      "that says it is text",
      known,
      { body: aReport("known", "idle"), headers: { "content-type": "text/plain" } },
      422,
      notJson("text/plain"),
    ],
    [
      "that says it is a form",
      known,
      { body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } },
      422,
      notJson("application/x-www-form-urlencoded"),
    ],
    [
      "of a type that is long",
      known,
      { body: "{}", headers: { "content-type": `text/${"x".repeat(200)}` } },
      422,
      notJson(`text/${"x".repeat(95)}`),
    ],
    [
      "that is not there, of another type",
      known,
      { body: "", headers: { "content-type": "text/plain" } },
      422,
      faults(missing()),
    ],
    [
      "that says its charset",
      known,
      { body: aReport("known", "idle"), headers: { "content-type": "application/json; charset=utf-8" } },
      202,
      ACCEPTED,
    ],
    [
      "of a type like JSON",
      known,
      { body: aReport("known", "idle"), headers: { "content-type": "Application/Vnd.x+JSON" } },
      202,
      ACCEPTED,
    ],
    ["that is too large", known, { body: "x".repeat(4097) }, 413, '{"detail":"the request is larger than 4096 bytes"}'],
    [
      "that is as large as may be",
      known,
      { body: JSON.stringify(aReport("known", "idle")).padEnd(4096) },
      202,
      ACCEPTED,
    ],
  ]);

  it("is not asked of a GET", async () => {
    expect((await ask(known, { headers: key })).status).toBe(200);
  });
});

describe("GET …/state", () => {
  expectAll([
    ["of nobody", statePath("nobody"), {}, 404, '{"detail":"No state found for agent nobody"}'],
    ["of what cannot be", statePath("a%20b%2Fc"), {}, 404, '{"detail":"No state found for agent a b/c"}'],
    ["of what cannot be decoded", statePath("%zz"), {}, 404, '{"detail":"No state found for agent %zz"}'],
  ]);

  it.each([
    ["INITIALIZING", "initializing"],
    ["IDLE", "idle"],
    ["Active", "active"],
    ["error", "error"],
    ["finished", "finished"],
  ])("answers %s as %s", async (reported, read) => {
    const agentId = `reader-${read}`;
    await post(NOTIFY, aNotification(agentId));
    const details = { opscore_task_id: "t-1", list: [1, null, { deep: true }] };
    const report = aReport(agentId, reported, { details, timestamp: "2026-05-04T03:02:01.123456+02:00" });
    expect((await post(statePath(agentId), report)).status).toBe(202);
    const { status, text } = await ask(statePath(agentId), { headers: key });
    expect(status).toBe(200);
    expect(text).toBe(JSON.stringify({ agentId, state: read, details, timestamp: "2026-05-04T01:02:01.123Z" }));
  });

  it("answers UNKNOWN of an agent that has only been registered", async () => {
    const before = Date.now();
    await post(NOTIFY, aNotification("fresh"));
    const { text } = await ask(statePath("fresh"), { headers: key });
    const { timestamp, ...rest } = JSON.parse(text) as { timestamp: string };
    expect(rest).toEqual({ agentId: "fresh", state: "UNKNOWN", details: null });
    expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(before);
  });
});
