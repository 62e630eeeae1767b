/** A webhook, from the call that makes it to the server that it is for. */
import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { createServices, DEFAULT_LIMITS } from "../../../src/services/index.js";
import { WatchHub } from "../../../src/watch/hub.js";
import { failure, type Clients } from "../harness.js";
import { Receiver } from "./receiver.js";
import { eventsOf, Gate, numbers, setUp } from "./sending.js";

const W = { webhookId: "w" };

describe("a webhook", () => {
  it("sends what was committed since it was made, in order, signed and numbered", async () => {
    const { agents, webhooks, replica, report, clock } = setUp();
    const receiver = await Receiver.start();
    await agents.registerAgent({ agentId: "before" });
    const { webhook, secret } = await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    expect(secret).toMatch(/^[\w-]{43}$/);
    await agents.registerAgent({ agentId: "a" });
    await report("a", State.IDLE);
    const deliveries = replica();
    await receiver.until(({ events }) => events.length === 2);
    await report("a", State.ACTIVE);
    await receiver.until(({ events }) => events.length === 3);
    expect(receiver.events).toEqual(["a UNKNOWN", "a IDLE", "a ACTIVE"]);
    expect(numbers(receiver)).toEqual(receiver.received.map((_, i) => String(i + 1)));
    for (const { headers, body } of receiver.received) {
      const timestamp = String(Math.floor(clock.now() / 1000));
      const signature = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex");
      expect(headers).toMatchObject({
        "content-type": "application/json",
        "x-opscore-webhook": "w",
        "x-opscore-timestamp": timestamp,
        "x-opscore-signature": signature,
      });
    }
    await deliveries.stop();
    const { webhook: after } = await webhooks.getWebhook({ webhookId: "w" });
    expect(after).toMatchObject({
      deliveredCount: BigInt(receiver.received.length),
      deadCount: 0n,
      failedAttempts: 0,
      lastError: "",
      resumeToken: receiver.received.at(-1)?.message.resumeToken,
    });
    expect(after?.resumeToken).not.toBe(webhook?.resumeToken);
    expect(after?.deliveryTime).toBeDefined();
  });

  it("sends only what its filter lets through", async () => {
    const { agents, webhooks, replica, report } = setUp();
    const receiver = await Receiver.start();
    const filter = { labelSelector: "env=prod", states: [State.ERROR] };
    await webhooks.createWebhook({ url: receiver.url, filter });
    replica();
    await agents.registerAgent({ agentId: "a", labels: { env: "prod" } });
    await agents.registerAgent({ agentId: "b", labels: { env: "test" } });
    for (const agentId of ["b", "a"]) {
      for (const state of [State.IDLE, State.ERROR]) await report(agentId, state);
    }
    await receiver.until(({ events }) => events.length > 0);
    expect(receiver.events).toEqual(["a ERROR"]);
  });

  it("sends a message again until it is answered, and the next one only then", async () => {
    const { agents, webhooks, replica, report } = setUp();
    const receiver = await Receiver.start();
    const statuses = [500, 404, 302, 204];
    receiver.headers = { location: receiver.url };
    receiver.answer = () => statuses.shift() ?? 200;
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    await agents.registerAgent({ agentId: "a" });
    const deliveries = replica();
    await receiver.until(({ received }) => received.length === 1);
    await report("a", State.IDLE);
    await receiver.until(({ received }) => received.length === 5);
    expect(numbers(receiver)).toEqual(["1", "1", "1", "1", "2"]);
    expect(new Set(receiver.received.slice(0, 4).map(({ body }) => body)).size).toBe(1);
    await deliveries.stop();
    expect((await webhooks.getWebhook({ webhookId: "w" })).webhook).toMatchObject({
      deliveredCount: 2n,
      deadCount: 0n,
    });
  });

  it("gives a message up after so many attempts, keeps that, goes on, and sends it again when it is asked to", async () => {
    const { agents, webhooks, replica, report, failures } = setUp();
    const receiver = await Receiver.start();
    receiver.answer = ({ message }) => (message.events?.[0]?.state.state === "STATE_ERROR" ? 503 : 200);
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    const { stats } = replica({ maxAttempts: 3 });
    await agents.registerAgent({ agentId: "a" });
    await receiver.until(({ events }) => events.length === 1);
    await report("a", State.ERROR);
    await receiver.until(({ events }) => events.length === 4);
    await report("a", State.IDLE);
    await receiver.until(({ events }) => events.length === 5);
    expect(numbers(receiver)).toEqual(["1", "2", "2", "2", "3"]);
    const { deadDeliveries } = await webhooks.listDeadDeliveries({ webhookId: "w" });
    expect(deadDeliveries).toMatchObject([{ delivery: 2n, eventCount: 1, attempts: 3, error: "answered 503" }]);
    expect((await webhooks.getWebhook({ webhookId: "w" })).webhook).toMatchObject({ deadCount: 1n });
    expect(stats).toMatchObject({ failed: 3, dead: 1 });

    receiver.answer = () => 200;
    const resumeToken = deadDeliveries[0]?.resumeToken ?? "";
    await webhooks.replayWebhook({ webhookId: "w", resumeToken });
    await receiver.until(({ events }) => events.length === 7);
    expect(receiver.events.slice(5)).toEqual(["a ERROR", "a IDLE"]);
    expect(failures).toEqual([]);
  });

  it("that waits to try again does so at once when it is replayed", async () => {
    const { agents, webhooks, replica } = setUp();
    const receiver = await Receiver.start();
    receiver.answer = () => 500;
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    replica({ initialBackoffMs: 3_600_000, maxBackoffMs: 3_600_000 });
    await agents.registerAgent({ agentId: "a" });
    await receiver.until(({ received }) => received.length === 1);
    receiver.answer = () => 200;
    await webhooks.replayWebhook({ webhookId: "w" });
    await receiver.until(({ received }) => received.length === 2);
    expect(receiver.events).toEqual(["a UNKNOWN", "a UNKNOWN"]);
  });

  it("begins where it is set back to, also while it gives a message up", async () => {
    const { agents, webhooks, replica, report, storage } = setUp();
    const receiver = await Receiver.start();
    receiver.answer = ({ message }) => (message.events?.[0]?.state.state === "STATE_ERROR" ? 503 : 200);
    const { webhook } = await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    const { resumeToken } = webhook ?? {};
    // Giving up takes as long as the test likes.
    const [begun, go] = [new Gate(), new Gate()];
    const write = storage.writeDocument.bind(storage);
    storage.writeDocument = async (command) => {
      if (command.kind === "webhook-dead:w") {
        begun.open();
        await go.opened;
      }
      return write(command);
    };
    const seen = eventsOf(storage, ({ kind, body }) => kind === "webhook" && body["replay"] === 1);
    replica({ maxAttempts: 1 });
    await agents.registerAgent({ agentId: "a" });
    await receiver.until(({ events }) => events.length === 1);
    await report("a", State.ERROR);
    await begun.opened;
    await webhooks.replayWebhook({ webhookId: "w", resumeToken: resumeToken ?? "" });
    // The call itself, then the replica, which has seen it.
    await seen.atLeast(2);
    receiver.answer = () => 200;
    go.open();
    await receiver.until(({ events }) => events.length === 4);
    expect(receiver.events).toEqual(["a UNKNOWN", "a ERROR", "a UNKNOWN", "a ERROR"]);
    expect((await webhooks.getWebhook({ webhookId: "w" })).webhook?.deadCount).toBe(1n);
    expect((await webhooks.listDeadDeliveries({ webhookId: "w" })).deadDeliveries).toHaveLength(1);
  });

  it("does not wait for ever for an answer", async () => {
    const { agents, webhooks, replica } = setUp();
    const receiver = await Receiver.start();
    receiver.answer = () => (receiver.received.length === 1 ? undefined : 200);
    await webhooks.createWebhook({ url: receiver.url });
    replica({ timeoutMs: 20 });
    await agents.registerAgent({ agentId: "a" });
    await receiver.until(({ received }) => received.length === 2);
    expect(numbers(receiver)).toEqual(["1", "1"]);
  });

  it("reaches nothing inside, unless that is allowed", async () => {
    const { agents, webhooks, replica, storage } = setUp();
    const receiver = await Receiver.start();
    for (const host of ["127.0.0.1", "localhost"]) {
      await webhooks.createWebhook({ webhookId: host, url: receiver.url.replace("127.0.0.1", host) });
    }
    await agents.registerAgent({ agentId: "a" });
    const givenUp = eventsOf(storage, ({ kind }) => kind.startsWith("webhook-dead:"));
    const deliveries = replica({ allowInside: false, maxAttempts: 1 });
    await givenUp.atLeast(2);
    for (const webhookId of ["127.0.0.1", "localhost"]) {
      const { deadDeliveries } = await webhooks.listDeadDeliveries({ webhookId });
      expect(deadDeliveries[0]?.error).toMatch(/an address inside, .* OPSCORE_OUTBOUND_ALLOW_PRIVATE=true$/);
    }
    await deliveries.stop();
    expect(receiver.received).toEqual([]);
  });

  it("is told when there is a gap, and gets what there is now", async () => {
    const { agents, webhooks, replica, report, storage, clock } = setUp({ logCapacity: 4 });
    const receiver = await Receiver.start();
    await agents.registerAgent({ agentId: "a" });
    await webhooks.createWebhook({ url: receiver.url });
    for (let i = 0; i < 20; i += 1) await report("a", i % 2 === 0 ? State.IDLE : State.ACTIVE);
    // A replica that was not there has no more of the log than the storage.
    const hub = new WatchHub(storage);
    await hub.start();
    const limits = DEFAULT_LIMITS;
    const { states } = createServices({ storage, hub, clock, limits, onDefect: () => undefined });
    replica({ watchState: (request, context) => states.watchState(request, context) });
    await receiver.until(({ received }) => received.some(({ message }) => message.kind === "WATCH_KIND_SYNCED"));
    expect(receiver.received.map(({ message }) => message.kind.replace("WATCH_KIND_", ""))).toEqual([
      "RESYNC",
      "SNAPSHOT",
      "SYNCED",
    ]);
    await report("a", State.ERROR);
    await receiver.until(({ events }) => events.includes("a ERROR"));
  });

  it("ends when it is deleted, with what it gave up", async () => {
    const { agents, webhooks, replica, report } = setUp();
    const receiver = await Receiver.start();
    receiver.answer = () => 500;
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    const deliveries = replica({ maxAttempts: 1 });
    await agents.registerAgent({ agentId: "a" });
    await receiver.until(({ received }) => received.length === 1);
    await webhooks.deleteWebhook({ webhookId: "w" });
    await failure("WEBHOOK_NOT_FOUND", () => webhooks.getWebhook({ webhookId: "w" }));
    await webhooks.createWebhook({ webhookId: "other", url: (await Receiver.start()).url });
    await report("a", State.IDLE);
    await deliveries.stop();
    expect(receiver.events).not.toContain("a IDLE");
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    expect((await webhooks.listDeadDeliveries({ webhookId: "w" })).deadDeliveries).toEqual([]);
  });

  it.each([
    ["once more", (webhooks: Clients["webhooks"]) => failure("WEBHOOK_NOT_FOUND", () => webhooks.deleteWebhook(W))],
    ["and made anew", (webhooks: Clients["webhooks"]) => webhooks.createWebhook({ ...W, url: "https://other.test" })],
  ])("leaves nothing when its deletion is cut off in the middle and it is deleted %s", async (_, next) => {
    const { agents, webhooks, replica, storage } = setUp();
    const receiver = await Receiver.start();
    receiver.answer = () => 500;
    await webhooks.createWebhook({ ...W, url: receiver.url });
    const given = eventsOf(storage, ({ kind, body }) => kind === "webhook" && body["deadCount"] === 1);
    const deliveries = replica({ maxAttempts: 1 });
    await agents.registerAgent({ agentId: "a" });
    await given.atLeast(1);
    await deliveries.stop();
    const remove = storage.deleteDocument.bind(storage);
    storage.deleteDocument = (command) => {
      if (command.kind !== "webhook") throw new Error("cut off");
      return remove(command);
    };
    await expect(webhooks.deleteWebhook(W)).rejects.toThrow("cut off");
    storage.deleteDocument = remove;
    await next(webhooks);
    const left = await storage.listDocuments({
      kind: "webhook-dead:w",
      namespace: "default",
      limit: 9,
      cursor: undefined,
    });
    expect(left.items).toEqual([]);
  });
});
