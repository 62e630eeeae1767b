/** What others wrote is shown so that it harms nothing beside it: neither the order of words nor the room of a table. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createOpsCoreClient, State, type OpsCoreClient } from "../../src/index.js";
import { openTab, startBrowser } from "../helpers/browser.js";
import { ServerProcess } from "../helpers/server-process.js";

/** Turns the direction of all that follows in the same paragraph. */
const OVERRIDE = "\u202e";
const LONG = "w".repeat(1000);

let browser: Browser;
let server: ServerProcess;
let client: OpsCoreClient;

beforeAll(async () => {
  browser = await startBrowser();
}, 180_000);

afterAll(() => browser.close());

beforeEach(async () => {
  server = await ServerProcess.start();
  client = createOpsCoreClient({ baseUrl: server.url });
  onTestFinished(() => client.close());
});

async function show(hash = ""): Promise<Page> {
  return (await openTab(browser, `${server.url}/dashboard${hash}`)).page;
}

/** Where the first and the last letter of an element's text are, from the left. */
function ends(page: Page, text: string): Promise<{ readonly first: number; readonly last: number }> {
  return page.evaluate(`(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const at = walker.currentNode.data.indexOf(${JSON.stringify(text)});
      if (at < 0) continue;
      const leftOf = (offset) => {
        const range = document.createRange();
        range.setStart(walker.currentNode, offset);
        range.setEnd(walker.currentNode, offset + 1);
        return range.getBoundingClientRect().left;
      };
      return { first: leftOf(at), last: leftOf(at + ${text.length - 1}) };
    }
    throw new Error("not shown");
  })()`);
}

const hiddenWidth = (page: Page) =>
  page.evaluate<number>(`(() => {
    const { scrollWidth, clientWidth } = document.querySelector(".scroll");
    return scrollWidth - clientWidth;
  })()`);

describe("a text that turns the direction of writing", () => {
  it("does not turn what stands beside it", async () => {
    await client.agents.registerAgent({ agentId: "turner", labels: { a: `x${OVERRIDE}`, env: "prod" } });
    await client.sessions.startSession({ sessionId: "run-1", agentId: "turner" });
    await client.states.setState({
      agentId: "turner",
      state: State.ACTIVE,
      message: `pay ${OVERRIDE}`,
      sessionId: "run-1",
    });
    const page = await show();
    await page.getByText("session run-1").waitFor();
    const link = await ends(page, "session run-1");
    expect(link.first).toBeLessThan(link.last);

    await page.getByRole("link", { name: "turner" }).click();
    await page.getByText("env=prod").waitFor();
    const label = await ends(page, "env=prod");
    expect(label.first).toBeLessThan(label.last);
  });
});

describe("a long text without a space", () => {
  it("does not push the rest of an agent out of sight", async () => {
    await client.agents.registerAgent({ agentId: "shouter" });
    await client.states.setState({ agentId: "shouter", state: State.ERROR, reason: "R".repeat(64), message: LONG });
    const page = await show();
    await page.getByText(LONG).waitFor();
    expect(await hiddenWidth(page)).toBe(0);
    await page.getByRole("link", { name: "shouter" }).click();
    await page.locator("td").getByText(LONG).waitFor();
    expect(await hiddenWidth(page)).toBe(0);
  });

  it("does not push the rest of a session out of sight, and a large result takes little room", async () => {
    await client.agents.registerAgent({ agentId: "worker", capabilities: ["w"], initialState: State.IDLE });
    await client.workflows.putWorkflow({
      workflow: {
        workflowId: "big",
        tasks: [
          { taskId: "large", agentCapability: "w" },
          { taskId: "failing", agentCapability: "w", dependsOn: ["large"] },
        ],
      },
    });
    const { session } = await client.workflows.triggerWorkflow({
      definition: { case: "workflowId", value: "big" },
      target: { case: "capability", value: "w" },
    });
    const sessionId = session?.sessionId ?? "";
    const page = await show(`#/sessions/${sessionId}`);
    const row = (words: RegExp) => page.getByRole("row", { name: words });
    await row(/large LEASED/).waitFor();
    const items = Array.from({ length: 3000 }, (_, i) => `item ${i}`);
    await client.tasks.completeTask({ sessionId, taskId: "large", attempt: 1, result: { items } });
    await row(/failing LEASED/).waitFor();
    expect((await row(/large COMPLETED/).boundingBox())?.height).toBeLessThan(300);
    const failure = { reason: "Bad", error: LONG, permanent: true };
    await client.tasks.failTask({ sessionId, taskId: "failing", attempt: 1, ...failure });
    await row(/failing FAILED/).waitFor();
    expect(await hiddenWidth(page)).toBe(0);
    await page.getByRole("link", { name: "Sessions" }).click();
    await row(/FAILED big/).waitFor();
    expect(await hiddenWidth(page)).toBe(0);
  });
});
