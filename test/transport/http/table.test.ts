/** Every route, and every way to be refused by it, as one table of requests and exact answers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServerUnowned, type TestServer } from "../../helpers/server.js";
import { aNotification, aReport, NOTIFY, register, send, statePath, type Request } from "./harness.js";

const KEY = "correct-horse";
const key = { authorization: `Bearer ${KEY}` };
const ACCEPTED = '{"status":"success","message":"State update accepted"}';
const MISMATCH = '{"detail":"Agent ID in path does not match agent ID in payload"}';
const MISSING_KEY = '{"detail":"Authorization header missing"}';
const INVALID_KEY = '{"detail":"Invalid authentication credentials"}';
const NOT_AN_OBJECT =
  '{"detail":[{"loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from","type":"model_attributes_type"}]}';

let running: TestServer;
const registered = (agentId: string): string =>
  `{"status":"success","message":"Agent ${agentId} registered successfully."}`;
const fault = (loc: readonly (string | number)[], msg: string, type: string) => ({ loc, msg, type });
const faults = (...list: object[]): string => JSON.stringify({ detail: list });
const missing = (...loc: string[]) => fault(["body", ...loc], "Field required", "missing");
const notText = (...loc: (string | number)[]) =>
  fault(["body", ...loc], "Input should be a valid string", "string_type");
const badJson = (position?: number): string =>
  faults(fault(position === undefined ? ["body"] : ["body", position], "JSON decode error", "json_invalid"));

beforeAll(async () => {
  running = await startServerUnowned({ apiKey: KEY, maxRequestBytes: 4096, maxDataBytes: 1024 });
  await post(NOTIFY, aNotification("known"));
});

afterAll(() => running.server.close());

const post = (path: string, body: Request["body"], headers: Request["headers"] = {}) =>
  send(running.url, path, { method: "POST", headers: { ...key, ...headers }, ...(body !== undefined && { body }) });

/** Sends each request with the right key, unless it says otherwise, and expects this answer. */
type Case = readonly [title: string, path: string, request: Request, status: number, text: string];

function expectAll(cases: readonly Case[]): void {
  it.each(cases)("%s", async (_title, path, request, status, text) => {
    const answer = await send(running.url, path, { ...request, headers: { ...key, ...request.headers } });
    expect([answer.status, answer.text]).toEqual([status, text]);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(Number(answer.headers.get("x-process-time"))).toBeGreaterThanOrEqual(0);
  });
}

const known = statePath("known");

describe("where nothing is", () => {
  expectAll([
    ["an unknown path", "/v1/opscore/nothing", {}, 404, '{"detail":"Not Found"}'],
    ["a path without an id", "/v1/opscore/agent//state", { body: {} }, 404, '{"detail":"Not Found"}'],
    ["a path with half of a route", "/v1/opscore/agent/known", {}, 404, '{"detail":"Not Found"}'],
    ["a path with more than a route", `${known}/more`, {}, 404, '{"detail":"Not Found"}'],
    ["a slash in an id", statePath("a/b"), {}, 404, '{"detail":"Not Found"}'],
    ["without a key", "/v1/nothing", { headers: { authorization: null } }, 404, '{"detail":"Not Found"}'],
  ]);
});

describe("a verb that a route has not", () => {
  it.each([
    ["DELETE", known, "POST, GET"],
    ["PUT", known, "POST, GET"],
    ["HEAD", known, "POST, GET"],
    ["OPTIONS", known, "POST, GET"],
    ["GET", NOTIFY, "POST"],
    ["POST", "/health", "GET, HEAD"],
  ])("%s %s is 405, with a key or without", async (method, path, allow) => {
    for (const headers of [key, {}]) {
      const { status, text, headers: got } = await send(running.url, path, { method, headers });
      expect([status, text]).toEqual([405, method === "HEAD" ? "" : '{"detail":"Method Not Allowed"}']);
      expect(got.get("allow")).toBe(allow);
    }
  });
});

describe("a slash at the end", () => {
  it.each([
    ["/health/", "/health"],
    [`${known}/`, known],
    [`${known}///?a=b/`, `${known}?a=b/`],
    [`${NOTIFY}/?x`, `${NOTIFY}?x`],
    [`${statePath("a%20b")}/`, statePath("a%20b")],
  ])("%s is 307 to %s, whatever the verb and the key", async (path, location) => {
    for (const method of ["GET", "POST", "DELETE"]) {
      const answer = await send(running.url, path, { method });
      expect([answer.status, answer.headers.get("location")]).toEqual([307, location]);
    }
  });

  it.each(["/v1/opscore/nothing/", "//example.com/", "/nothing/"])(
    "%s is 404, because there is nothing",
    async (path) => {
      expect((await send(running.url, path)).status).toBe(404);
    },
  );

  it("is followed with the body", async () => {
    const response = await fetch(`${running.url}${known}/`, {
      method: "POST",
      headers: { ...key, "content-type": "application/json" },
      body: JSON.stringify(aReport("known", "idle")),
    });
    expect([response.status, await response.text()]).toEqual([202, ACCEPTED]);
  });
});

describe("health", () => {
  it.each(["/health", "/healthz"])("%s needs no key", async (path) => {
    const { status, text } = await send(running.url, path);
    expect([status, text]).toEqual([200, '{"status":"ok"}']);
    expect(await send(running.url, path, { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  });
});

describe("the key", () => {
  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER ${KEY}`])("%s is taken", async (authorization) => {
    expect((await send(running.url, known, { headers: { authorization } })).status).toBe(200);
  });

  it.each([
    [null, MISSING_KEY],
    ["", INVALID_KEY],
    ["Bearer", INVALID_KEY],
    ["Bearer wrong", INVALID_KEY],
    [KEY, INVALID_KEY],
    [`Basic ${KEY}`, INVALID_KEY],
  ])("%j is 401 on every route", async (authorization, text) => {
    const requests: readonly [string, Request][] = [
      [known, {}],
      [known, { body: aReport("known", "idle") }],
      [NOTIFY, { body: aNotification("known") }],
    ];
    for (const [path, request] of requests) {
      const answer = await send(running.url, path, { ...request, headers: { authorization } });
      expect([answer.status, answer.text]).toEqual([401, text]);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });
});

describe("the order of checks", () => {
  const none = { authorization: null };
  expectAll([
    ["401 before 422", known, { body: "{", headers: none }, 401, MISSING_KEY],
    ["401 before 413", known, { body: "x".repeat(5000), headers: none }, 401, MISSING_KEY],
    ["401 before 404", statePath("x"), { headers: none }, 401, MISSING_KEY],
    [
      "422 before 400",
      known,
      { body: aReport("other", "idle", { details: 1 }) },
      422,
      faults(fault(["body", "details"], "Input should be a valid dictionary", "dict_type")),
    ],
    ["400 before 404", statePath("x"), { body: aReport("y", "idle") }, 400, MISMATCH],
    ["400 before 404, of a word too", statePath("x"), { body: aReport("y", "napping") }, 400, MISMATCH],
    [
      "422 before 400, of an event",
      NOTIFY,
      { body: aNotification("", { version: 1 }, "NAP") },
      422,
      faults(notText("agent_details", "version")),
    ],
    [
      "the event before the id",
      NOTIFY,
      { body: aNotification("", {}, "NAP") },
      400,
      '{"detail":"Unknown event type: NAP"}',
    ],
  ]);
});

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
      NOT_AN_OBJECT,
    ],
    [
      "that says it is a form",
      known,
      { body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" } },
      422,
      NOT_AN_OBJECT,
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
    expect((await send(running.url, known, { headers: key })).status).toBe(200);
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
    const { status, text } = await send(running.url, statePath(agentId), { headers: key });
    expect(status).toBe(200);
    expect(text).toBe(JSON.stringify({ agentId, state: read, details, timestamp: "2026-05-04T01:02:01.123Z" }));
  });

  it("answers UNKNOWN of an agent that has only been registered", async () => {
    const before = Date.now();
    await post(NOTIFY, aNotification("fresh"));
    const { text } = await send(running.url, statePath("fresh"), { headers: key });
    const { timestamp, ...rest } = JSON.parse(text) as { timestamp: string };
    expect(rest).toEqual({ agentId: "fresh", state: "UNKNOWN", details: null });
    expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(before);
  });
});

describe("POST …/notify", () => {
  const place = (...loc: (string | number)[]) => ["body", "agent_details", ...loc];
  expectAll([
    ["registers", NOTIFY, { body: aNotification("n-1") }, 200, registered("n-1")],
    ["again", NOTIFY, { body: aNotification("n-1") }, 200, registered("n-1")],
    ["whatever the case", NOTIFY, { body: aNotification("n-2", {}, "Register") }, 200, registered("n-2")],
    [
      "with everything",
      NOTIFY,
      { body: aNotification("n-3", { capabilities: ["b", "a", "", "a"], metadata: { x: [1] } }) },
      200,
      registered("n-3"),
    ],
    [
      "with null for metadata and fields that nobody knows",
      NOTIFY,
      { body: { ...aNotification("n-4", { metadata: null, registrationTime: 1.5 }), more: {} } },
      200,
      registered("n-4"),
    ],
    [
      "deregisters",
      NOTIFY,
      { body: aNotification("n-1", {}, "DEREGISTER") },
      200,
      '{"status":"success","message":"Agent n-1 deregistered successfully."}',
    ],
    [
      "deregisters who is not there",
      NOTIFY,
      { body: aNotification("n-1", {}, "deregister") },
      200,
      '{"status":"success","message":"Agent n-1 deregistered successfully."}',
    ],
    [
      "refuses other events",
      NOTIFY,
      { body: aNotification("n-1", {}, "UPDATE") },
      400,
      '{"detail":"Unknown event type: UPDATE"}',
    ],
    ["refuses an empty id", NOTIFY, { body: aNotification("") }, 400, '{"detail":"Agent ID must not be empty"}'],
    ["wants its fields", NOTIFY, { body: {} }, 422, faults(missing("event_type"), missing("agent_details"))],
    [
      "wants the fields of its details",
      NOTIFY,
      { body: { event_type: "REGISTER", agent_details: {} } },
      422,
      faults(
        missing("agent_details", "agentId"),
        missing("agent_details", "agentName"),
        missing("agent_details", "version"),
        missing("agent_details", "contactEndpoint"),
      ),
    ],
    [
      "wants an object of details",
      NOTIFY,
      { body: { event_type: 1, agent_details: [] } },
      422,
      faults(
        notText("event_type"),
        fault(place(), "Input should be a valid dictionary or object to extract fields from", "model_attributes_type"),
      ),
    ],
    [
      "wants a list of capabilities",
      NOTIFY,
      { body: aNotification("n", { capabilities: "a" }) },
      422,
      faults(fault(place("capabilities"), "Input should be a valid list", "list_type")),
    ],
    [
      "wants capabilities that are words",
      NOTIFY,
      { body: aNotification("n", { capabilities: ["a", 1, null] }) },
      422,
      faults(notText("agent_details", "capabilities", 1), notText("agent_details", "capabilities", 2)),
    ],
    [
      "wants short capabilities",
      NOTIFY,
      { body: aNotification("n", { capabilities: ["a", "x".repeat(129)] }) },
      422,
      faults(fault(place("capabilities", 1), "Value error, must be 1 to 128 characters", "value_error")),
    ],
    [
      "wants an object of metadata",
      NOTIFY,
      { body: aNotification("n", { metadata: [] }) },
      422,
      faults(fault(place("metadata"), "Input should be a valid dictionary", "dict_type")),
    ],
    [
      "wants a URL",
      NOTIFY,
      { body: aNotification("n", { contactEndpoint: "agent:9000" }) },
      422,
      faults(fault(place("contactEndpoint"), "Value error, must be an absolute http or https URL", "value_error")),
    ],
    [
      "wants a URL that is not empty",
      NOTIFY,
      { body: aNotification("n", { contactEndpoint: "" }) },
      422,
      faults(fault(place("contactEndpoint"), "Input should be a valid URL, input is empty", "url_parsing")),
    ],
    [
      "wants an id that an agent can have",
      NOTIFY,
      { body: aNotification("a b") },
      422,
      faults(fault(place("agentId"), "Value error, must be 1 to 128 characters of [A-Za-z0-9._:-]", "value_error")),
    ],
    [
      "names one fault of each field",
      NOTIFY,
      { body: aNotification("a b", { agentName: "x".repeat(256) }) },
      422,
      faults(
        fault(place("agentId"), "Value error, must be 1 to 128 characters of [A-Za-z0-9._:-]", "value_error"),
        fault(place("agentName"), "Value error, must be at most 255 characters", "value_error"),
      ),
    ],
  ]);
});

describe("the namespace", () => {
  it("is chosen by its header, on every route", async () => {
    const elsewhere = { ...key, "opscore-namespace": "elsewhere" };
    expect((await post(NOTIFY, aNotification("there"), elsewhere)).status).toBe(200);
    expect((await post(statePath("there"), aReport("there", "idle"), elsewhere)).status).toBe(202);
    expect((await send(running.url, statePath("there"), { headers: elsewhere })).status).toBe(200);
    expect((await send(running.url, statePath("there"), { headers: key })).status).toBe(404);
  });

  expectAll([
    [
      "that is none is 422",
      known,
      { headers: { "opscore-namespace": "a b" } },
      422,
      faults(
        fault(
          ["header", "opscore-namespace"],
          "Value error, must be 1 to 128 characters of [A-Za-z0-9._:-]",
          "value_error",
        ),
      ),
    ],
  ]);
});

it("a server without a key asks nobody for one", async () => {
  const open = await startServerUnowned();
  try {
    await register(open.url, "a");
    expect((await send(open.url, statePath("a"), { body: aReport("a", "idle") })).status).toBe(202);
  } finally {
    await open.server.close();
  }
});
