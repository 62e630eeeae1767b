import { describe, expect, it } from "vitest";
import { dynamicClient, type DynamicClient } from "../helpers/grpc-js.js";
import { startServer, type TestServer } from "../helpers/server.js";

const health = (port: number): DynamicClient => dynamicClient(port, "grpc.health.v1.Health", "health/v1/health.proto");

const SERVICES = ["Agent", "State", "Session", "Workflow", "Task", "Webhook"].map(
  (name) => `opscore.v1.${name}Service`,
);

describe("grpc.health.v1", () => {
  it.each(["", ...SERVICES])("serves %j", async (service) => {
    const { port } = await startServer();
    expect(await health(port).unary("Check", { service })).toEqual({ status: "SERVING" });
  });

  it("does not know other services", async () => {
    const { port } = await startServer();
    await expect(health(port).unary("Check", { service: "nope" })).rejects.toMatchObject({ code: 5 });
    const stream = health(port).serverStream("Watch", { service: "nope" });
    expect(await first(stream)).toEqual({ status: "SERVICE_UNKNOWN" });
    stream.on("error", () => undefined).cancel();
  });

  it("lists all of them", async () => {
    const { port } = await startServer();
    const { statuses } = (await health(port).unary("List", {})) as { statuses: object };
    expect(statuses).toEqual(Object.fromEntries(["", ...SERVICES].map((name) => [name, { status: "SERVING" }])));
  });

  it("asks for no key", async () => {
    const { port } = await startServer({ apiKey: "k" });
    expect(await health(port).unary("Check", {})).toEqual({ status: "SERVING" });
  });

  it("tells watchers of a stop, and ends", async () => {
    const { port, server } = await startServer();
    const seen: unknown[] = [];
    const stream = health(port).serverStream("Watch", {});
    await expect(
      (async () => {
        for await (const message of stream) {
          seen.push(message);
          if (seen.length === 1) void server.close();
        }
      })(),
    ).rejects.toMatchObject({ code: 14 });
    expect(seen).toEqual([{ status: "SERVING" }, { status: "NOT_SERVING" }]);
  });
});

describe("readiness", () => {
  /** A server whose storage can be told to be away. */
  const start = async (): Promise<TestServer & { away: (is: boolean) => void }> => {
    const running = await startServer();
    let isAway = false;
    const { storage } = running.server;
    storage.ready = () => {
      if (isAway) throw new Error("connection refused");
      return true;
    };
    return { ...running, away: (is) => (isAway = is) };
  };

  it("follows the storage, on every protocol", async () => {
    const { port, url, away } = await start();
    const stream = health(port).serverStream("Watch", {})[Symbol.asyncIterator]();
    expect((await stream.next()).value).toEqual({ status: "SERVING" });
    away(true);
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ status: "not ready", trouble: "the storage takes no commands" });
    expect((await stream.next()).value).toEqual({ status: "NOT_SERVING" });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    away(false);
    expect(await health(port).unary("Check", {})).toEqual({ status: "SERVING" });
    expect((await stream.next()).value).toEqual({ status: "SERVING" });
    await stream.return?.();
  });
});

async function first(stream: AsyncIterable<unknown>): Promise<unknown> {
  return (await stream[Symbol.asyncIterator]().next()).value;
}
