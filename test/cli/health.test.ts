import { describe, expect, it } from "vitest";
import { freePort } from "../helpers/processes.js";
import { startServer } from "../helpers/server.js";
import { Shell } from "./harness.js";

describe("opscore health", () => {
  it("is well while the server is, and needs no key", async () => {
    const { url } = await startServer({ apiKey: "k" });
    const shell = new Shell(url);
    expect(await shell.run("health")).toMatchObject({ code: 0, stdout: "serving\n", stderr: "" });
    expect(await shell.json("health")).toEqual({ status: "SERVING" });
    expect((await shell.run("health --transport connect")).code).toBe(0);
  });

  it("is 6 while its storage is away", async () => {
    const { url, server } = await startServer();
    server.storage.ready = () => false;
    const { code, stdout, stderr } = await new Shell(url).run("health");
    expect({ code, stdout }).toEqual({ code: 6, stdout: "" });
    expect(stderr).toBe(`error: the server at ${url} takes no work now\nhint: ${url}/readyz says why.\n`);
    const asJson = await new Shell(url).run("health --json");
    expect([asJson.code, JSON.parse(asJson.stdout)]).toEqual([6, { status: "NOT_SERVING" }]);
  });

  it("is 6 where nobody is, in the time that it has", async () => {
    const shell = new Shell(`http://127.0.0.1:${await freePort()}`);
    expect((await shell.run("health --timeout 300ms")).code).toBe(6);
  });
});
