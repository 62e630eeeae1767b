/** Whose clock the page goes by. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { createOpsCoreClient } from "../../src/index.js";
import { openTab, startBrowser } from "../helpers/browser.js";
import { ServerProcess } from "../helpers/server-process.js";

let browser: Browser;

beforeAll(async () => {
  browser = await startBrowser();
}, 180_000);

afterAll(() => browser.close());

it.each([3, -3])("ages are by the server's clock, when the browser's is %i hours ahead", async (hours) => {
  const server = await ServerProcess.start();
  const client = createOpsCoreClient({ baseUrl: server.url });
  onTestFinished(() => client.close());
  await client.agents.registerAgent({ agentId: "timed" });
  await client.sessions.startSession({ sessionId: "run-1", agentId: "timed" });
  const { page, complaints } = await openTab(browser, `${server.url}/dashboard`, (tab) =>
    tab.clock.install({ time: Date.now() + hours * 3_600_000 }),
  );
  // Not for ever 0 either.
  await page.getByRole("row", { name: /timed UNKNOWN [1-9]\d?s$/ }).waitFor();
  await page.getByRole("link", { name: "Sessions" }).click();
  await page.getByRole("row", { name: /run-1 STARTED timed [1-9]\d?s ago [1-9]\d?s/ }).waitFor();
  expect(complaints).toEqual([]);
});
