/** What WebhookService answers. */
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { WebhookService } from "../../../gen/opscore/v1/webhook_service_pb.js";
import { createServices, DEFAULT_LIMITS } from "../../../src/services/index.js";
import { WatchHub } from "../../../src/watch/hub.js";
import { createHarness, failure, refusedFields, type Clients } from "../harness.js";
import { setUp } from "./sending.js";

describe("WebhookService", () => {
  const url = "https://receiver.test/hook";

  it("answers with what it was given, but for the secret, and lists by id and namespace", async () => {
    const harness = setUp();
    const { webhooks } = harness;
    const filter = { agentIds: ["a"], labelSelector: "env=prod", capabilities: ["write"], states: [State.IDLE] };
    const { secret } = await webhooks.createWebhook({ webhookId: "b", url, filter, secret: "0123456789abcdef" });
    expect(secret).toBe("0123456789abcdef");
    await webhooks.createWebhook({ webhookId: "a", url });
    await harness.as({ namespace: "other" }).webhooks.createWebhook({ webhookId: "c", url });
    const first = await webhooks.listWebhooks({ pageSize: 1 });
    const second = await webhooks.listWebhooks({ pageSize: 1, pageToken: first.nextPageToken });
    expect([...first.webhooks, ...second.webhooks]).toMatchObject([
      { webhookId: "a", url },
      { webhookId: "b", url, filter },
    ]);
    expect(second.nextPageToken).toBe("");
    expect(
      JSON.stringify([...first.webhooks, ...second.webhooks], (_, v: unknown) => (typeof v === "bigint" ? 0 : v)),
    ).not.toContain("0123456789abcdef");
    expect((await webhooks.deleteWebhook({ webhookId: "b" })).webhook).toMatchObject({ filter });
  });

  it.each([
    [{}, ["url"]],
    [{ url: "receiver.test" }, ["url"]],
    [{ url: "ftp://receiver.test" }, ["url"]],
    [{ url: "https://me:you@receiver.test" }, ["url"]],
    [{ url, webhookId: "a b" }, ["webhook_id"]],
    [{ url, secret: "short" }, ["secret"]],
    [{ url, secret: `${"x".repeat(20)} ` }, ["secret"]],
    [{ url, filter: { agentIds: ["a b"], labelSelector: "a=b=c" } }, ["filter.agent_ids[0]", "filter.label_selector"]],
  ])("refuses %j", async (request, fields) => {
    const { webhooks } = setUp();
    expect(await refusedFields(() => webhooks.createWebhook(request))).toEqual(fields);
    expect((await webhooks.listWebhooks({})).webhooks).toEqual([]);
  });

  it.each([
    "http://127.0.0.1:8080",
    "https://127.1/hook",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://localhost:3000/hook",
    "http://LOCALHOST./",
    "http://a.localhost/",
  ])("refuses %s, which is inside, unless that is allowed", async (inside) => {
    const { webhooks } = createHarness();
    const { violations } = await failure("INVALID_FIELD", () => webhooks.createWebhook({ url: inside }));
    expect(violations).toEqual([{ field: "url", description: expect.stringMatching(/ inside, unless/) as string }]);
    expect((await setUp().webhooks.createWebhook({ url: inside })).webhook?.url).toBe(inside);
  });

  it("refuses ids that are taken, tokens of other filters, and too many", async () => {
    const { webhooks } = setUp();
    const { webhook } = await webhooks.createWebhook({ webhookId: "w", url });
    const resumeToken = webhook?.resumeToken ?? "";
    await failure("WEBHOOK_ALREADY_EXISTS", () => webhooks.createWebhook({ webhookId: "w", url }));
    const filter = { agentIds: ["a"] };
    await failure("INVALID_RESUME_TOKEN", () => webhooks.createWebhook({ url, filter, resumeToken }));
    await failure("INVALID_RESUME_TOKEN", () => webhooks.replayWebhook({ webhookId: "w", resumeToken: "nope" }));
    expect((await webhooks.createWebhook({ url, resumeToken })).webhook?.resumeToken).toBe(resumeToken);
    // More of these than an answer has room for.
    const large = { agentIds: Array.from({ length: 100 }, (_, i) => `${"a".repeat(100)}-${i}`) };
    for (let left = 98; left > 0; left -= 1) await webhooks.createWebhook({ url, filter: large });
    expect((await webhooks.listWebhooks({ pageSize: 100 })).webhooks.length).toBeLessThan(100);
    await failure("TOO_MANY", () => webhooks.createWebhook({ url }));
  });

  it("leaves no watch open, by which it finds out whether a filter and a token are good", async () => {
    const { storage, clock } = setUp();
    const hub = new WatchHub(storage);
    await hub.start();
    const { webhooks } = createServices({ storage, hub, clock, limits: DEFAULT_LIMITS, onDefect: () => undefined });
    const client = createClient(
      WebhookService,
      createRouterTransport((router) => router.service(WebhookService, webhooks)),
    );
    const { webhook: first } = await client.createWebhook({ url });
    const resumeToken = first?.resumeToken ?? "";
    const { webhook } = await client.createWebhook({ url, resumeToken });
    await client.replayWebhook({ webhookId: webhook?.webhookId ?? "", resumeToken });
    expect(hub.stats.watchers).toBe(0);
  });

  it.each<[string, (client: Clients["webhooks"], webhookId: string) => Promise<unknown>]>([
    ["GetWebhook", (client, webhookId) => client.getWebhook({ webhookId })],
    ["DeleteWebhook", (client, webhookId) => client.deleteWebhook({ webhookId })],
    ["ReplayWebhook", (client, webhookId) => client.replayWebhook({ webhookId })],
    ["ListDeadDeliveries", (client, webhookId) => client.listDeadDeliveries({ webhookId })],
  ])("%s fails for a webhook that is not there", async (_, call) => {
    const { webhooks } = setUp();
    await failure("WEBHOOK_NOT_FOUND", () => call(webhooks, "w"));
    expect(await refusedFields(() => call(webhooks, ""))).toEqual(["webhook_id"]);
  });

  it("has no method that is not tried here", () => {
    expect(WebhookService.methods).toHaveLength(6);
  });
});
