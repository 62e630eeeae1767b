/** Where the page finds its server, whom it is to it, and what stands in its address. */
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createOpsCoreClient } from "../../src/index.js";
import { openTab, startBrowser } from "../helpers/browser.js";
import { freePort } from "../helpers/processes.js";
import { ServerProcess } from "../helpers/server-process.js";

let browser: Browser;

beforeAll(async () => {
  browser = await startBrowser();
}, 180_000);

afterAll(() => browser.close());

const row = (page: Page, words: RegExp) => page.getByRole("row", { name: words });

async function register(server: ServerProcess, agentId: string, apiKey?: string, namespace?: string): Promise<void> {
  const client = createOpsCoreClient({ baseUrl: server.url, apiKey, namespace });
  onTestFinished(() => client.close());
  await client.agents.registerAgent({ agentId });
}

/** A proxy that has a path for each of some servers, and takes it off. */
async function startProxy(servers: Readonly<Record<string, ServerProcess>>): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const [, name = "", path = ""] = /^\/([^/]*)(.*)$/.exec(incoming.url ?? "") ?? [];
    const server = servers[name];
    if (server === undefined) {
      outgoing.writeHead(404).end();
      return;
    }
    const { method, headers } = incoming;
    const onward = request(server.url + path, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    outgoing.on("close", () => onward.destroy());
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

describe("behind a proxy that puts a path before it", () => {
  it.each(["/ops/", "/ops/dashboard", "/ops/dashboard/", "/ops/dashboard/?namespace=default"])(
    "the page is found at %s, and finds its server",
    async (path) => {
      const server = await ServerProcess.start();
      await register(server, "proxied");
      const proxy = await startProxy({ ops: server });
      const { page, complaints } = await openTab(browser, proxy + path);
      await row(page, /proxied/).waitFor();
      expect(new URL(page.url()).pathname).toBe("/ops/dashboard");
      expect(complaints).toEqual([]);
    },
  );

  it("the key of one server is not sent to another at the same address", async () => {
    const one = await ServerProcess.start({ OPSCORE_API_KEY: "the-key-of-one" });
    const two = await ServerProcess.start({ OPSCORE_API_KEY: "the-key-of-two" });
    await register(one, "of-one", "the-key-of-one");
    const proxy = await startProxy({ one, two });
    const { page } = await openTab(browser, `${proxy}/one/dashboard`);
    await page.getByLabel("This server wants its API key.").fill("the-key-of-one");
    await page.getByLabel("This server wants its API key.").press("Enter");
    await row(page, /of-one/).waitFor();

    const asked = page.waitForRequest("**/two/opscore.v1.StateService/WatchState");
    await page.goto(`${proxy}/two/dashboard`);
    expect(await (await asked).headerValue("authorization")).toBe(null);
    await page.getByLabel("This server wants its API key.").waitFor();
  });
});

describe("the key", () => {
  it("is asked for again when the server has another one", async () => {
    const settings = { OPSCORE_PORT: String(await freePort()) };
    const server = await ServerProcess.start({ ...settings, OPSCORE_API_KEY: "the-old-key" });
    await register(server, "guarded", "the-old-key");
    const { page } = await openTab(browser, `${server.url}/dashboard#/agents/guarded`);
    await page.getByLabel("This server wants its API key.").fill("the-old-key");
    await page.getByLabel("This server wants its API key.").press("Enter");
    await row(page, /registered/).waitFor();
    await server.stop();
    await ServerProcess.start({ ...settings, OPSCORE_API_KEY: "the-new-key" });
    await page.getByLabel("This is not the server's API key.").waitFor();
    // The keyboard is in the only field that there is to fill, again and again.
    await page.keyboard.type("not-it");
    const asked = page.waitForResponse("**/WatchState");
    await page.keyboard.press("Enter");
    await asked;
    await page.locator("#key:focus").waitFor();
    await page.keyboard.type("the-new-key");
    await page.keyboard.press("Enter");
    await page.getByText("Nothing is known of this agent.").waitFor();
  });
});

describe("the namespace", () => {
  it("that the address says is the one that is shown, also on the way back and forth", async () => {
    const server = await ServerProcess.start();
    await register(server, "ours");
    await register(server, "theirs", undefined, "team-b");
    const { page } = await openTab(browser, `${server.url}/dashboard`);
    await page.getByRole("link", { name: "ours" }).click();
    await page.getByRole("heading", { name: "ours" }).waitFor();
    await page.getByLabel("namespace").fill("team-b");
    await page.getByLabel("namespace").press("Enter");
    await page.getByText("Nothing is known of this agent.").waitFor();

    await page.goBack();
    await row(page, /registered/).waitFor();
    await page.goBack();
    await row(page, /ours/).waitFor();
    expect(new URL(page.url()).search).toBe("");
    expect(await page.getByLabel("namespace").inputValue()).toBe("default");
    await page.goForward();
    await page.goForward();
    await page.getByText("Nothing is known of this agent.").waitFor();
    expect(await page.getByLabel("namespace").inputValue()).toBe("team-b");
  });

  it("that is none does not keep the keyboard in its field", async () => {
    const server = await ServerProcess.start();
    await register(server, "ours");
    const { page } = await openTab(browser, `${server.url}/dashboard`);
    await row(page, /ours/).waitFor();
    await page.getByLabel("namespace").fill("not one!");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).not.toBe("namespace");
    // What is not shown is not claimed.
    expect(await page.getByLabel("namespace").inputValue()).toBe("default");
  });

  it("leaves the keyboard where it was changed", async () => {
    const server = await ServerProcess.start();
    await register(server, "theirs", undefined, "team-b");
    const { page } = await openTab(browser, `${server.url}/dashboard`);
    await page.getByLabel("namespace").fill("team-b");
    await page.getByLabel("namespace").press("Enter");
    await row(page, /theirs/).waitFor();
    expect(await page.evaluate("document.activeElement.id")).toBe("namespace");
  });
});
