/** What the page of one agent shows of its past, whatever becomes of the connection meanwhile. */
import type { Browser, Page, Route } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createOpsCoreClient, State, type OpsCoreClient } from "../../src/index.js";
import { openTab, startBrowser } from "../helpers/browser.js";
import { freePort } from "../helpers/processes.js";
import { ServerProcess } from "../helpers/server-process.js";

const AGENT = "**/opscore.v1.AgentService/GetAgent*";
const HISTORY = "**/opscore.v1.StateService/GetStateHistory*";

let browser: Browser;

beforeAll(async () => {
  browser = await startBrowser();
}, 180_000);

afterAll(() => browser.close());

async function startServer(settings: Readonly<Record<string, string>> = {}) {
  const server = await ServerProcess.start(settings);
  const client = createOpsCoreClient({ baseUrl: server.url });
  onTestFinished(() => client.close());
  return { server, client, page: (agentId: string) => `${server.url}/dashboard#/agents/${agentId}` };
}

const row = (page: Page, words: RegExp) => page.getByRole("row", { name: words });
/** What happened last. To look for it among the names of all rows, many times a second, keeps a browser busy with a long table. */
const newest = (page: Page, words: string) => page.locator("tbody tr:first-child", { hasText: words });
const isLive = (page: Page) => page.getByRole("status").filter({ hasText: "live" }).waitFor();

async function alternate(client: OpsCoreClient, agentId: string, times: number, size = 0): Promise<void> {
  const details = size > 0 ? { filling: "x".repeat(size) } : {};

  // eslint-disable-next-line @typescript-eslint/require-await -- a stream wants it asynchronous
  async function* reports() {
    for (let i = 1; i <= times; i++) {
      const state = i === times ? State.ERROR : i % 2 === 0 ? State.IDLE : State.ACTIVE;
      yield { report: { agentId, state, message: `report ${i}`, details } };
    }
  }

  for await (const { result } of client.states.reportStates(reports())) expect(result.case).toBe("accepted");
}

/** A tab whose first call of this kind is kept from the server until it is let go. */
async function openHolding(url: string, calls: string): Promise<{ readonly page: Page; readonly held: Route }> {
  let hold!: (route: Route) => void;
  const held = new Promise<Route>((resolve) => (hold = resolve));
  const { page } = await openTab(browser, url, (tab) => tab.route(calls, hold, { times: 1 }));
  return { page, held: await held };
}

describe("the history of an agent", () => {
  it("is shown up to its end, also when the server gives it in several pages", async () => {
    const { client, page: pageOf } = await startServer();
    await client.agents.registerAgent({ agentId: "verbose" });
    await alternate(client, "verbose", 120, 60_000);
    const first = await client.states.getStateHistory({ agentId: "verbose", pageSize: 1000 });
    expect(first.nextPageToken).not.toBe("");

    const { page } = await openTab(browser, pageOf("verbose"));
    await row(page, /transition .*ERROR report 120/).waitFor();
    await row(page, /registered/).waitFor();
    await page.locator("dl").getByText("ERROR").waitFor();
    expect(await page.locator("tbody tr").count()).toBe(121);
  });

  it("is kept to its newest entries, however long the page is open", async () => {
    const { client, page: pageOf } = await startServer({ OPSCORE_HISTORY_MAX_ENTRIES: "2500" });
    await client.agents.registerAgent({ agentId: "busy" });
    await alternate(client, "busy", 2200);
    const { page } = await openTab(browser, pageOf("busy"));
    await newest(page, "report 2200").waitFor();
    await page.getByRole("button", { name: "200 more of 800 that are not shown" }).waitFor();
    await alternate(client, "busy", 2199);
    await newest(page, "report 2199").waitFor();
    expect(await page.getByRole("button", { name: "200 more of 800 that are not shown" }).count()).toBe(1);
  });

  it("is read again when it could not be read, although the watch lost nothing", async () => {
    const { client, page: pageOf } = await startServer();
    await client.agents.registerAgent({ agentId: "unlucky", version: "4.2" });
    let isBroken = true;
    const { page } = await openTab(browser, pageOf("unlucky"), (tab) =>
      tab.route(HISTORY, (route) => (isBroken ? route.fulfill({ status: 500 }) : route.continue())),
    );
    expect(await page.getByRole("alert").textContent()).toMatch(/^Its history cannot be read: /);
    // What was not read is not said to be empty.
    expect(await page.getByText("Nothing is known of this agent.").count()).toBe(0);
    isBroken = false;
    await page.getByRole("alert").waitFor({ state: "detached" });
    await row(page, /registered UNKNOWN/).waitFor();
  });

  it("is not said to be empty before it was read", async () => {
    const { client, page: pageOf } = await startServer();
    await client.agents.registerAgent({ agentId: "slow" });
    const { page, held } = await openHolding(pageOf("slow"), HISTORY);
    await isLive(page);
    expect(await page.getByText("Nothing is known of this agent.").count()).toBe(0);
    await held.continue();
    await row(page, /registered UNKNOWN/).waitFor();
  });

  it("that was read before everything was lost is not put back", async () => {
    const settings = { OPSCORE_PORT: String(await freePort()) };
    const { server, client, page: pageOf } = await startServer(settings);
    await client.agents.registerAgent({ agentId: "lost", displayName: "Of before" });
    const { page, held } = await openHolding(pageOf("lost"), HISTORY);
    const stale = await held.fetch();
    await server.stop();
    await page.getByRole("status").filter({ hasText: "reconnecting" }).waitFor();
    await ServerProcess.start(settings);
    await page.getByText("Nothing is known of this agent.").waitFor();
    expect(await page.getByText("Of before").count()).toBe(0);
    await held.fulfill({ response: stale }).catch(() => undefined);
    await client.agents.registerAgent({ agentId: "lost", displayName: "Of after" });
    await page.getByText("Of after").waitFor();
    expect(await page.locator("tbody tr").count()).toBe(1);
  });

  it("that has grown too old leaves the agent known", async () => {
    const { client, page: pageOf } = await startServer();
    await client.agents.registerAgent({ agentId: "quiet", displayName: "Still here" });
    const { page } = await openTab(browser, pageOf("quiet"), (tab) =>
      tab.route(HISTORY, (route) => route.fulfill({ status: 200, contentType: "application/proto", body: "" })),
    );
    await page.getByText("Still here").waitFor();
    await page.getByText("Nothing is kept of what happened to it.").waitFor();
    expect(await page.getByText("Nothing is known of this agent.").count()).toBe(0);
  });
});

describe("the data of an agent", () => {
  it("that was read late does not replace what is newer", async () => {
    const { client, page: pageOf } = await startServer();
    await client.agents.registerAgent({ agentId: "renamed", displayName: "Old name" });
    const { page, held } = await openHolding(pageOf("renamed"), AGENT);
    const late = await held.fetch();
    await client.agents.updateAgent({ agent: { agentId: "renamed", displayName: "New name" } });
    await page.getByText("New name").waitFor();
    const answered = page.waitForEvent("requestfinished", (request) => request.url().includes("GetAgent"));
    await held.fulfill({ response: late });
    await answered;
    await client.states.setState({ agentId: "renamed", state: State.IDLE });
    await row(page, /→ IDLE/).waitFor();
    expect(await page.getByText("New name").count()).toBe(1);
  });

  it("of one namespace is not shown in another", async () => {
    const { server, client } = await startServer();
    await client.agents.registerAgent({ agentId: "same", displayName: "Of the first" });
    const { page } = await openTab(browser, `${server.url}/dashboard#/agents/same`);
    await page.getByText("Of the first").waitFor();
    await page.route(AGENT, () => undefined);
    await page.getByLabel("namespace").fill("second");
    await page.getByLabel("namespace").press("Enter");
    await page.waitForURL(/namespace=second/);
    await page.waitForRequest("**/GetStateHistory*");
    expect(await page.getByText("Of the first").count()).toBe(0);
  });
});
