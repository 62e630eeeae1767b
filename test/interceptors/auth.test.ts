import { describe, expect, it } from "vitest";
import { OpsCoreError } from "../../src/errors/index.js";
import { createAuthenticator, type HeaderReader } from "../../src/interceptors/index.js";
import { startServer } from "../helpers/server.js";
import { dynamicClient } from "../helpers/grpc-js.js";

const KEY = "correct-horse";
const headers = (values: Record<string, string>): HeaderReader => ({ get: (name) => values[name] ?? null });

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof OpsCoreError) return error.reason;
    throw error;
  }
  return "none";
}

describe("the key", () => {
  const authenticate = createAuthenticator(KEY);

  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER   ${KEY} `])("%s is let in", (authorization) => {
    expect(authenticate(headers({ authorization }))).toEqual({ namespace: "default", actor: "api-key" });
  });

  it.each([
    ["", "CREDENTIALS_MISSING"],
    ["Bearer", "CREDENTIALS_MISSING"],
    ["Bearer ", "CREDENTIALS_MISSING"],
    [KEY, "CREDENTIALS_MISSING"],
    [`Basic ${KEY}`, "CREDENTIALS_MISSING"],
    ["Bearer wrong", "CREDENTIALS_INVALID"],
    [`Bearer ${KEY}x`, "CREDENTIALS_INVALID"],
    [`Bearer ${KEY.slice(0, -1)}`, "CREDENTIALS_INVALID"],
    [`Bearer ${KEY} ${KEY}`, "CREDENTIALS_MISSING"],
    [`Bearer ${"x".repeat(100_000)}`, "CREDENTIALS_INVALID"],
  ])("%.30s fails with %s", (authorization, reason) => {
    expect(reasonOf(() => authenticate(headers({ authorization })))).toBe(reason);
  });

  it("is not asked for when there is none", () => {
    expect(createAuthenticator(undefined)(headers({}))).toEqual({ namespace: "default", actor: "anonymous" });
  });
});

describe("the namespace", () => {
  const authenticate = createAuthenticator(undefined);

  it.each(["default", "team-a", "a.b_c:d", "x".repeat(128)])("%s is taken from the header", (namespace) => {
    expect(authenticate(headers({ "opscore-namespace": namespace })).namespace).toBe(namespace);
  });

  it.each(["", "a b", "a/b", "ä", "x".repeat(129), "a, b"])("%j names the header", (namespace) => {
    try {
      authenticate(headers({ "opscore-namespace": namespace }));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ reason: "INVALID_FIELD", violations: [{ field: "opscore-namespace" }] });
    }
  });
});

describe("a server with a key", () => {
  it("lets nobody in without it, on any protocol, except for health and readiness", async () => {
    const { url, port } = await startServer({ apiKey: KEY });
    const call = (authorization?: string): Promise<Response> =>
      fetch(`${url}/opscore.v1.AgentService/ListAgents`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(authorization === undefined ? {} : { authorization }) },
        body: "{}",
      });
    expect((await call()).status).toBe(401);
    expect((await call("Bearer nope")).status).toBe(401);
    expect((await call(`Bearer ${KEY}`)).status).toBe(200);
    const agents = dynamicClient(port, "opscore.v1.AgentService");
    await expect(agents.unary("ListAgents", {})).rejects.toMatchObject({ code: 16 });
    expect(await agents.unary("ListAgents", {}, { authorization: `Bearer ${KEY}` })).toMatchObject({ agents: [] });
    const reflection = dynamicClient(
      port,
      "grpc.reflection.v1.ServerReflection",
      "grpc/reflection/v1/reflection.proto",
    ).bidi("ServerReflectionInfo");
    reflection.write({ list_services: "" });
    await expect(reflection[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 16 });
    for (const path of ["/healthz", "/readyz"]) expect((await fetch(url + path)).status).toBe(200);
  });

  it("keeps the key out of the log", async () => {
    const { url, logs } = await startServer({ apiKey: KEY, logLevel: "trace" });
    const call = (key: string): Promise<Response> =>
      fetch(`${url}/opscore.v1.AgentService/GetAgent`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: '{"agentId":"a"}',
      });
    await call(KEY);
    await call("guessed-key");
    expect(logs.length).toBeGreaterThanOrEqual(3);
    expect(JSON.stringify(logs)).not.toMatch(/correct-horse|guessed-key/);
  });
});

it("namespaces do not see each other", async () => {
  const { port } = await startServer();
  const agents = dynamicClient(port, "opscore.v1.AgentService");
  await agents.unary("RegisterAgent", { agent_id: "a" }, { "opscore-namespace": "one" });
  expect(await agents.unary("ListAgents", {}, { "opscore-namespace": "two" })).toMatchObject({ agents: [] });
  expect(await agents.unary("ListAgents", {}, { "opscore-namespace": "one" })).toMatchObject({
    agents: [{ agent_id: "a", state: { actor: "anonymous" } }],
  });
});
