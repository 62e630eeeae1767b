/** Lists on a narrow terminal. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOpsCoreClient } from "../../src/client/index.js";
import { startServerUnowned, type TestServer } from "../helpers/server.js";
import { Shell } from "./harness.js";

let server: TestServer;
let shell: Shell;
/** As long as one that the server makes. */
const AGENT = `agent-${"0123456789".repeat(3)}`;
const TASKS = [
  { taskId: "gather", agentCapability: "read" },
  { taskId: "write", agentCapability: "write", dependsOn: ["gather"] },
];

interface Ids {
  readonly session: string;
  readonly webhook: string;
}
let ids: Ids;

beforeAll(async () => {
  server = await startServerUnowned();
  shell = new Shell(server.url);
  await shell.text(["agent", "register", AGENT, "--label", `env=${"x".repeat(40)}`]);
  await shell.text(["state", "set", AGENT, "error", "--message", "a long story of what went wrong"]);
  const client = createOpsCoreClient({ baseUrl: server.url });
  const { webhook } = await client.webhooks.createWebhook({
    url: "https://receiver.example/a/path/that/goes/on/and/on",
  });
  const { session } = await client.workflows.triggerWorkflow({
    target: { case: "agentId", value: AGENT },
    definition: { case: "workflow", value: { workflowId: "research-and-report", tasks: TASKS } },
  });
  client.close();
  ids = { session: session?.sessionId ?? "", webhook: webhook?.webhookId ?? "" };
  await shell.text(["workflow", "cancel", ids.session, "--message", "nobody wants to read it any more"]);
});
afterAll(() => server.server.close());

describe.each([80, 40])("on a terminal of %i columns", (columns) => {
  it.each<readonly [list: string, shown: (ids: Ids) => readonly string[]]>([
    ["agent list", () => [AGENT]],
    ["session list", ({ session }) => [session]],
    ["task list", ({ session }) => [session, "gather", "write"]],
    ["webhook list", ({ webhook }) => [webhook]],
  ])("%s never shortens what one needs to name a thing", async (list, shown) => {
    const { stdout } = await shell.run(list, { tty: true, columns, env: { NO_COLOR: "1" } });
    for (const id of shown(ids)) {
      expect(id).not.toBe("");
      expect(stdout.split(/\s/)).toContain(id);
    }
  });

  it("the tasks of a session that was named need not name it", async () => {
    const line = ["task", "list", "--session", ids.session];
    const { stdout } = await shell.run(line, { tty: true, columns, env: { NO_COLOR: "1" } });
    expect(stdout).not.toContain(ids.session);
    expect(stdout).toMatch(/^gather +CANCELLED /m);
  });
});

it("shortens text before it leaves anything out", async () => {
  const { stdout } = await shell.run("webhook list", { tty: true, columns: 80, env: { NO_COLOR: "1" } });
  expect(stdout).toMatch(new RegExp(`^${ids.webhook}  OK .* https://receiver\\S*…`, "m"));
});
