/** What all routes have in common, as tables of requests and exact answers. */
import { describe, expect, it } from "vitest";
import { startServerUnowned } from "../../helpers/server.js";
import { aNotification, aReport, NOTIFY, register, send, statePath, type Request } from "./harness.js";
import {
  KEY,
  key,
  ACCEPTED,
  MISMATCH,
  MISSING_KEY,
  INVALID_KEY,
  fault,
  faults,
  notText,
  known,
  useServer,
} from "./answers.js";

const { ask, post, expectAll, url } = useServer();

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
      const { status, text, headers: got } = await ask(path, { method, headers });
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
      const answer = await ask(path, { method });
      const { pathname, search } = new URL(answer.headers.get("location") ?? "", `http://x${path}`);
      expect([answer.status, pathname + search]).toEqual([307, location]);
      // A proxy may have put more before the path.
      expect(answer.headers.get("location")).toMatch(/^\.\./);
    }
  });

  it.each(["/v1/opscore/nothing/", "//example.com/", "/nothing/"])(
    "%s is 404, because there is nothing",
    async (path) => {
      expect((await ask(path)).status).toBe(404);
    },
  );

  it("is followed with the body", async () => {
    const response = await fetch(`${url()}${known}/`, {
      method: "POST",
      headers: { ...key, "content-type": "application/json" },
      body: JSON.stringify(aReport("known", "idle")),
    });
    expect([response.status, await response.text()]).toEqual([202, ACCEPTED]);
  });
});

describe("health", () => {
  it.each(["/health", "/healthz"])("%s needs no key", async (path) => {
    const { status, text } = await ask(path);
    expect([status, text]).toEqual([200, '{"status":"ok"}']);
    expect(await ask(path, { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  });
});

describe("the key", () => {
  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER ${KEY}`])("%s is taken", async (authorization) => {
    expect((await ask(known, { headers: { authorization } })).status).toBe(200);
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
      const answer = await ask(path, { ...request, headers: { authorization } });
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

describe("the namespace", () => {
  it("is chosen by its header, on every route", async () => {
    const elsewhere = { ...key, "opscore-namespace": "elsewhere" };
    expect((await post(NOTIFY, aNotification("there"), elsewhere)).status).toBe(200);
    expect((await post(statePath("there"), aReport("there", "idle"), elsewhere)).status).toBe(202);
    expect((await ask(statePath("there"), { headers: elsewhere })).status).toBe(200);
    expect((await ask(statePath("there"), { headers: key })).status).toBe(404);
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
