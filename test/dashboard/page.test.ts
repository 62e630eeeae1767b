/** What a person sees in a browser: a real Chromium, and servers as they are shipped. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createOpsCoreClient, SessionStatus, State, type OpsCoreClient } from "../../src/index.js";
import { openTab, startBrowser, type Tab } from "../helpers/browser.js";
import { freePort } from "../helpers/processes.js";
import { ServerProcess } from "../helpers/server-process.js";

const KEY = "a-key-for-the-page";

let browser: Browser;

beforeAll(async () => {
  browser = await startBrowser();
}, 180_000);

afterAll(() => browser.close());

let server: ServerProcess;
let client: OpsCoreClient;

beforeEach(async () => {
  server = await ServerProcess.start();
  client = clientOf({ baseUrl: server.url });
});

function clientOf(options: Parameters<typeof createOpsCoreClient>[0]): OpsCoreClient {
  const made = createOpsCoreClient(options);
  onTestFinished(() => made.close());
  return made;
}

/** A tab that shows what stands behind the `#`. */
function show(hash = ""): Promise<Tab> {
  return openTab(browser, `${server.url}/dashboard${hash}`);
}

const row = (page: Page, words: RegExp) => page.getByRole("row", { name: words });
const isLive = (page: Page) => page.getByRole("status").filter({ hasText: "live" }).waitFor();

async function report(agentId: string, state: State, message = ""): Promise<void> {
  await client.states.setState({ agentId, state, message });
}

describe("the agents", () => {
  it("are shown as they are, and as they change, without a reload", async () => {
    await client.agents.registerAgent({ agentId: "writer-1", initialState: State.IDLE });
    const { page, complaints } = await show();
    await row(page, /writer-1 IDLE/).waitFor();
    await isLive(page);

    await report("writer-1", State.ACTIVE, "drafting chapter 3");
    await row(page, /writer-1 ACTIVE .* drafting chapter 3/).waitFor();
    await client.agents.registerAgent({ agentId: "writer-2" });
    await row(page, /writer-2 UNKNOWN/).waitFor();
    await client.agents.deregisterAgent({ agentId: "writer-1" });
    await row(page, /writer-1/).waitFor({ state: "detached" });
    expect(await page.title()).toBe("Agents · Ops-Core");
    expect(complaints).toEqual([]);
  });

  it("say that there are none, and appear when they register", async () => {
    const { page } = await show();
    await page.getByText("No agents here yet.").waitFor();
    await client.agents.registerAgent({ agentId: "first" });
    await row(page, /first/).waitFor();
    expect(await page.getByText("No agents here yet.").count()).toBe(0);
  });

  it("can be narrowed to a state, to a text and to labels", async () => {
    const register = (agentId: string, initialState: State, env: string) =>
      client.agents.registerAgent({ agentId, initialState, labels: { env } });
    await Promise.all([
      register("agent-9", State.IDLE, "prod"),
      register("agent-10", State.ERROR, "prod"),
      register("other", State.IDLE, "test"),
    ]);
    const { page } = await show();
    const names = async () => await page.locator("tbody th").allTextContents();
    await row(page, /other/).waitFor();
    expect(await names()).toEqual(["agent-9", "agent-10", "other"]);

    await page.getByRole("button", { name: "error 1" }).click();
    await row(page, /agent-9/).waitFor({ state: "detached" });
    expect(await names()).toEqual(["agent-10"]);
    // It stays narrowed while things change.
    await report("other", State.ERROR);
    await page.getByRole("button", { name: "error 2" }).click();
    await row(page, /agent-9/).waitFor();

    await page.getByRole("searchbox").fill("AGENT");
    await row(page, /other/).waitFor({ state: "detached" });
    await page.getByRole("searchbox").fill("");
    await page.getByRole("textbox", { name: "labels" }).fill("env=test");
    await page.getByRole("textbox", { name: "labels" }).press("Enter");
    await row(page, /other/).waitFor();
    expect(await names()).toEqual(["other"]);

    await page.getByRole("textbox", { name: "labels" }).fill("env in (");
    await page.getByRole("textbox", { name: "labels" }).press("Enter");
    expect(await page.getByRole("alert").textContent()).toMatch(/^The server will not show this: .*\(/);
  });

  it("stay narrowed on the way back from one of them", async () => {
    await client.agents.registerAgent({ agentId: "broken-1", initialState: State.ERROR, labels: { env: "prod" } });
    await client.agents.registerAgent({ agentId: "broken-2", initialState: State.ERROR });
    await client.agents.registerAgent({ agentId: "fine-1", initialState: State.IDLE, labels: { env: "prod" } });
    const { page } = await show();
    await page.getByRole("textbox", { name: "labels" }).fill("env=prod");
    await page.getByRole("textbox", { name: "labels" }).press("Enter");
    await row(page, /broken-2/).waitFor({ state: "detached" });
    await page.getByRole("searchbox").fill("-1");
    await page.getByRole("button", { name: "error 1" }).click();
    await page.getByRole("link", { name: "broken-1" }).click();
    await row(page, /registered/).waitFor();
    await page.goBack();
    await row(page, /broken-1/).waitFor();
    expect(await page.locator("tbody th").allTextContents()).toEqual(["broken-1"]);
    expect(await page.getByRole("textbox", { name: "labels" }).inputValue()).toBe("env=prod");
    expect(await page.getByRole("searchbox").inputValue()).toBe("-1");
  });

  it("that are many are shown in part, and more when that is wanted", async () => {
    await Promise.all(Array.from({ length: 450 }, (_, i) => client.agents.registerAgent({ agentId: `agent-${i}` })));
    const { page } = await show();
    await page.getByRole("button", { name: "200 more of 250 that are not shown" }).click();
    await page.getByRole("button", { name: "50 more of 50 that are not shown" }).click();
    await row(page, /agent-449/).waitFor();
    await page.getByRole("button", { name: "unknown 450" }).waitFor();
  });

  it("stay text, whatever they say of themselves", async () => {
    const evil = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;
    await client.agents.registerAgent({ agentId: "evil", displayName: evil, metadata: { evil } });
    await report("evil", State.ERROR, evil);
    const { page, complaints } = await show();
    await page.getByText(evil).waitFor();
    await page.getByRole("link", { name: "evil", exact: true }).click();
    await page.getByText(evil).nth(2).waitFor();
    expect(await page.title()).toBe("evil · Ops-Core");
    expect(await page.locator("img[src=x]").count()).toBe(0);
    expect(complaints).toEqual([]);
  });
});

describe("one agent", () => {
  it("is shown with what it is and what it has done, and goes on", async () => {
    await client.agents.registerAgent({
      ...{ agentId: "writer:1", displayName: "The writer", version: "1.2.3", capabilities: ["write", "edit"] },
      ...{ labels: { env: "prod" }, metadata: { shelf: 7 } },
    });
    await report("writer:1", State.IDLE);
    const { page, complaints } = await show();
    await page.getByRole("link", { name: "writer:1" }).click();
    for (const text of ["The writer", "1.2.3", "edit, write", "env=prod", '"shelf": 7'])
      await page.getByText(text).waitFor();
    await row(page, /registered UNKNOWN/).waitFor();
    await row(page, /transition UNKNOWN → IDLE/).waitFor();

    await report("writer:1", State.ACTIVE, "drafting");
    await row(page, /transition IDLE → ACTIVE drafting/).waitFor();
    const events = await page.locator("tbody tr td:nth-child(2)").allTextContents();
    expect(events).toEqual(["transition", "transition", "registered"]);
    await client.agents.updateAgent({ agent: { agentId: "writer:1", displayName: "The editor" } });
    await page.getByText("The editor").waitFor();

    await client.agents.deregisterAgent({ agentId: "writer:1" });
    await page.getByText("DEREGISTERED", { exact: true }).waitFor();
    await client.agents.registerAgent({ agentId: "writer:1" });
    await page.getByText("DEREGISTERED", { exact: true }).waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });

  it("need not be there yet", async () => {
    const { page, complaints } = await show("#/agents/later");
    await page.getByText("Nothing is known of this agent.").waitFor();
    await client.agents.registerAgent({ agentId: "later", version: "9.9" });
    await row(page, /registered UNKNOWN/).waitFor();
    await page.getByText("9.9").waitFor();
    expect(complaints).toEqual([]);
  });
});

describe("sessions", () => {
  it("are shown with their tasks, as these go", async () => {
    await client.agents.registerAgent({ agentId: "worker", capabilities: ["cut"] });
    await client.workflows.putWorkflow({
      workflow: {
        workflowId: "film",
        tasks: [
          { taskId: "shoot", agentCapability: "cut" },
          { taskId: "cut", agentCapability: "cut", dependsOn: ["shoot"] },
        ],
      },
    });
    const triggered = await client.workflows.triggerWorkflow({
      definition: { case: "workflowId", value: "film" },
      target: { case: "capability", value: "cut" },
    });
    const sessionId = triggered.session?.sessionId ?? "";
    const { page, complaints } = await show("#/sessions");
    await page.getByRole("link", { name: sessionId }).click();
    await row(page, /shoot READY/).waitFor();
    await row(page, /└ cut PENDING/).waitFor();

    await report("worker", State.IDLE);
    await row(page, /shoot LEASED worker 1 of/).waitFor();
    await client.tasks.completeTask({ sessionId, taskId: "shoot", attempt: 1, result: { minutes: 90 } });
    await row(page, /shoot COMPLETED .*\{"minutes":90\}/).waitFor();
    await row(page, /cut LEASED/).waitFor();
    await client.tasks.failTask({
      sessionId,
      taskId: "cut",
      attempt: 1,
      reason: "Scissors",
      error: "blunt",
      permanent: true,
    });
    await row(page, /cut FAILED .*Scissors blunt/).waitFor();
    await page.getByText("2 of 2 ended").waitFor();

    await page.getByRole("link", { name: "Sessions" }).click();
    await row(page, /FAILED film .*task cut failed/).waitFor();
    expect(complaints).toEqual([]);
  });

  it("can be narrowed to a status", async () => {
    await client.agents.registerAgent({ agentId: "worker" });
    for (const sessionId of ["s-1", "s-2"]) await client.sessions.startSession({ sessionId, agentId: "worker" });
    await client.sessions.updateSession({ session: { sessionId: "s-1", status: SessionStatus.COMPLETED } });
    const { page } = await show("#/sessions");
    await page.getByRole("button", { name: "completed 1" }).click();
    await row(page, /s-2/).waitFor({ state: "detached" });
    await row(page, /s-1 COMPLETED worker/).waitFor();
  });
});

describe("access", () => {
  it("wants the key of a server that has one, and keeps it in the tab alone", async () => {
    server = await ServerProcess.start({ OPSCORE_API_KEY: KEY });
    client = clientOf({ baseUrl: server.url, apiKey: KEY });
    await client.agents.registerAgent({ agentId: "guarded" });
    const { page } = await show();
    const field = page.getByLabel("This server wants its API key.");
    await field.fill("not-the-key");
    await field.press("Enter");
    const again = page.getByLabel("This is not the server's API key.");
    await again.fill(KEY);
    await again.press("Enter");
    await row(page, /guarded/).waitFor();
    await page.reload();
    await row(page, /guarded/).waitFor();
    expect(page.url()).not.toContain(KEY);
    expect(await page.evaluate("JSON.stringify([localStorage, document.cookie])")).toBe('[{},""]');

    const other = await show();
    await other.page.getByLabel("This server wants its API key.").waitFor();
    expect(await other.page.getByText("guarded").count()).toBe(0);
  });

  it("is to one namespace, which stands in the address", async () => {
    const other = clientOf({ baseUrl: server.url, namespace: "team-b" });
    await client.agents.registerAgent({ agentId: "ours" });
    await other.agents.registerAgent({ agentId: "theirs" });
    const { page } = await show();
    await row(page, /ours/).waitFor();
    await page.getByLabel("namespace").fill("team-b");
    await page.getByLabel("namespace").press("Enter");
    await row(page, /theirs/).waitFor();
    expect(await page.getByText("ours").count()).toBe(0);
    const again = await openTab(browser, page.url());
    await row(again.page, /theirs/).waitFor();
  });
});

describe("the connection", () => {
  it("is found again after a restart of the server, and what is gone is forgotten", async () => {
    const settings = { OPSCORE_PORT: String(await freePort()) };
    const before = await ServerProcess.start(settings);
    client = clientOf({ baseUrl: before.url });
    await client.agents.registerAgent({ agentId: "forgotten" });
    const { page } = await openTab(browser, `${before.url}/dashboard`);
    await row(page, /forgotten/).waitFor();
    await before.stop();
    await page.getByRole("status").filter({ hasText: "reconnecting" }).waitFor();
    // What was known is still there to be read.
    expect(await row(page, /forgotten/).count()).toBe(1);
    await ServerProcess.start(settings);
    await row(page, /forgotten/).waitFor({ state: "detached" });
    await isLive(page);
    await client.agents.registerAgent({ agentId: "new" });
    await row(page, /new/).waitFor();
  });

  it("is given up while nobody looks at the tab, and what happened meanwhile is made up for", async () => {
    await client.agents.registerAgent({ agentId: "writer-1" });
    const { page } = await show();
    await row(page, /writer-1 UNKNOWN/).waitFor();
    const hide = (hidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));`);
    const left = page.waitForEvent("requestfailed", (request) => request.url().endsWith("WatchState"));
    await hide(true);
    await left;
    await report("writer-1", State.IDLE);
    await report("writer-1", State.ACTIVE, "made up for");
    await hide(false);
    await row(page, /writer-1 ACTIVE .*made up for/).waitFor();
  });
});
