/** Webhooks, from the call that makes one to the server that it is for. */
import { createHmac } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { WebhookService } from "../../../gen/opscore/v1/webhook_service_pb.js";
import { createServices, DEFAULT_LIMITS } from "../../../src/services/index.js";
import { WebhookDeliveries, type WebhookDeliveriesOptions } from "../../../src/services/webhooks/deliveries.js";
import type { Storage, WriteDocument } from "../../../src/storage/storage.js";
import { WatchHub } from "../../../src/watch/hub.js";
import { createHarness, failure, refusedFields, type Clients } from "../harness.js";
import { Receiver } from "./receiver.js";

const FAST = { pollMs: 5, beatMs: 10, initialBackoffMs: 1, maxBackoffMs: 4, allowInside: true };

/** The services, and replicas that send for them. */
function setUp(memory = {}) {
  const harness = createHarness({ memory });
  const failures: unknown[] = [];
  const replica = (options: Partial<WebhookDeliveriesOptions> = {}): WebhookDeliveries => {
    const deliveries = new WebhookDeliveries(harness.storage, {
      clock: harness.clock,
      watchState: harness.services.states.watchState,
      onFailure: (thrown) => failures.push(thrown),
      ...FAST,
      ...options,
    });
    onTestFinished(() => deliveries.stop());
    deliveries.start();
    return deliveries;
  };
  const report = (agentId: string, state: State, message = "") => harness.states.setState({ agentId, state, message });
  return { ...harness, failures, replica, report };
}

const numbers = ({ received }: Receiver): string[] =>
  received.map(({ headers }) => String(headers["x-opscore-delivery"]));

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
      expect(deadDeliveries[0]?.error).toMatch(/an address inside/);
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
});

describe("replicas", () => {
  it("send each message once, one of them at a time, and go on where the other stopped", async () => {
    const { agents, webhooks, replica, report } = setUp();
    const receiver = await Receiver.start();
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    const replicas = [replica(), replica(), replica()];
    await agents.registerAgent({ agentId: "a" });
    const expected = ["a UNKNOWN"];
    for (let round = 0; round < 6; round += 1) {
      for (const state of [State.IDLE, State.ACTIVE]) {
        await report("a", state);
        expected.push(`a ${State[state]}`);
      }
      await receiver.until(({ events }) => events.length >= expected.length);
      const sending = replicas.filter(({ size }) => size === 1);
      expect(sending.length).toBeLessThanOrEqual(1);
      for (const one of sending) await one.stop();
      replicas.push(replica());
    }
    expect(receiver.events).toEqual(expected);
    expect(numbers(receiver)).toEqual(receiver.received.map((_, i) => String(i + 1)));
  });

  it("take over from one that has not been heard of for a while, and not earlier", async () => {
    const { agents, webhooks, replica, storage, clock } = setUp();
    const receiver = await Receiver.start();
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    const key = { kind: "webhook", namespace: "default", id: "w" };
    const document = await storage.readDocument(key);
    await storage.writeDocument({
      ...key,
      body: { ...document?.body, owner: "gone" },
      expectedRevision: document?.revision ?? 0,
    });
    await agents.registerAgent({ agentId: "a" });
    const looks = looksOf(storage);
    const other = replica({ takeoverMs: 1_000 });
    await looks.atLeast(2);
    clock.advance(999);
    await looks.atLeast(4);
    expect([other.size, receiver.received]).toEqual([0, []]);
    clock.advance(1);
    await receiver.until(({ received }) => received.length === 1);
    expect(receiver.events).toEqual(["a UNKNOWN"]);
  });

  it("have nothing on its way when others may take over, and hold that against nobody", async () => {
    const { agents, webhooks, replica, storage, clock, failures } = setUp();
    const receiver = await Receiver.start();
    receiver.answer = () => undefined;
    await webhooks.createWebhook({ webhookId: "w", url: receiver.url });
    await agents.registerAgent({ agentId: "a" });
    const { stats } = replica({ leaseMs: 30, timeoutMs: 3_600_000 });
    await receiver.until(({ received }) => received.length === 1);
    // A storage that does not answer: nobody can say whether another replica has taken over.
    const write = storage.writeDocument.bind(storage);
    let thaw = (): void => undefined;
    const frozen = new Promise<void>((resolve) => (thaw = resolve));
    storage.writeDocument = async (command) => {
      if (command.kind === "webhook") await frozen;
      return write(command);
    };
    clock.advance(30);
    await receiver.until(({ cut }) => cut === 1);
    receiver.answer = () => 204;
    const looks = looksOf(storage);
    await looks.atLeast(3);
    expect(receiver.received).toHaveLength(1);
    thaw();
    await receiver.until(({ received }) => received.length === 2);
    expect(numbers(receiver)).toEqual(["1", "1"]);
    expect(stats.failed).toBe(0);
    expect(failures).toEqual([]);
  });

  it("share the webhooks, also when one comes and when one goes", async () => {
    const { agents, webhooks, replica, report, storage, failures } = setUp();
    const receivers = await Promise.all(Array.from({ length: 10 }, () => Receiver.start()));
    for (const [i, { url }] of receivers.entries()) await webhooks.createWebhook({ webhookId: `w${i}`, url });
    const looks = looksOf(storage);
    const shared = async (most: number, among: readonly WebhookDeliveries[]) => {
      const isShared = () => among.every(({ size }) => size <= most) && sum(among) === 10;
      for (let seen = looks.count; !isShared(); seen += 1) await looks.atLeast(seen + 1);
    };
    await agents.registerAgent({ agentId: "a" });
    const expected = ["a UNKNOWN"];
    const tell = async () => {
      await report("a", expected.length % 2 === 1 ? State.IDLE : State.ACTIVE);
      expected.push(expected.length % 2 === 1 ? "a IDLE" : "a ACTIVE");
      await Promise.all(receivers.map((receiver) => receiver.until(({ events }) => events.length >= expected.length)));
    };
    const replicas = [replica()];
    await shared(10, replicas);
    await tell();
    replicas.push(replica());
    await shared(5, replicas);
    await tell();
    replicas.push(replica());
    await shared(4, replicas);
    await tell();
    await replicas.shift()?.stop();
    await shared(5, replicas);
    await tell();
    for (const receiver of receivers) {
      expect(receiver.events).toEqual(expected);
      expect(new Set(numbers(receiver)).size).toBe(receiver.received.length);
    }
    expect(failures).toEqual([]);
  });

  it("do not leave a webhook to one that is not there any more", async () => {
    const { webhooks, replica, storage, clock } = setUp();
    for (let i = 0; i < 4; i += 1) await webhooks.createWebhook({ url: "https://receiver.test/hook" });
    const gone = { kind: "webhook-sender", namespace: "default", id: "gone" };
    await storage.writeDocument({ ...gone, body: {}, expectedRevision: 0 });
    const looks = looksOf(storage);
    const one = replica({ takeoverMs: 1_000 });
    await looks.atLeast(3);
    expect(one.size).toBe(2);
    clock.advance(1_000);
    for (let seen = looks.count; one.size < 4; seen += 1) await looks.atLeast(seen + 1);
    await looks.atLeast(looks.count + 3);
    expect(one.size).toBe(4);
    expect(await storage.readDocument(gone)).toBeUndefined();
  });

  it("let nothing go that somebody waits for: a message on its way is answered first", async () => {
    const { agents, webhooks, replica, storage } = setUp();
    const receivers = await Promise.all([Receiver.start(), Receiver.start()]);
    for (const receiver of receivers) {
      receiver.answer = () => undefined;
      await webhooks.createWebhook({ url: receiver.url });
    }
    const one = replica();
    await agents.registerAgent({ agentId: "a" });
    await Promise.all(receivers.map((receiver) => receiver.until(({ received }) => received.length === 1)));
    const looks = looksOf(storage);
    const other = replica();
    await looks.atLeast(10);
    expect([one.size, other.size]).toEqual([2, 0]);
    for (const receiver of receivers) receiver.answerLate(204);
    for (let seen = looks.count; other.size === 0; seen += 1) await looks.atLeast(seen + 1);
    expect([one.size, other.size]).toEqual([1, 1]);
    expect(receivers.flatMap(({ received }) => received)).toHaveLength(2);
  });
});

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

  it("refuses ids that are taken, tokens of other filters, and too many", async () => {
    const { webhooks } = setUp();
    const { webhook } = await webhooks.createWebhook({ webhookId: "w", url });
    const resumeToken = webhook?.resumeToken ?? "";
    await failure("WEBHOOK_ALREADY_EXISTS", () => webhooks.createWebhook({ webhookId: "w", url }));
    const filter = { agentIds: ["a"] };
    await failure("INVALID_RESUME_TOKEN", () => webhooks.createWebhook({ url, filter, resumeToken }));
    await failure("INVALID_RESUME_TOKEN", () => webhooks.replayWebhook({ webhookId: "w", resumeToken: "nope" }));
    expect((await webhooks.createWebhook({ url, resumeToken })).webhook?.resumeToken).toBe(resumeToken);
    for (let left = 98; left > 0; left -= 1) await webhooks.createWebhook({ url });
    await failure("TOO_MANY", () => webhooks.createWebhook({ url }));
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

function sum(replicas: readonly WebhookDeliveries[]): number {
  return replicas.reduce((all, { size }) => all + size, 0);
}

/** Counts what is asked of a storage, while it is asked. */
class Counter {
  count = 0;
  private wake: (() => void) | undefined;

  add(): void {
    this.count += 1;
    this.wake?.();
  }

  /** Answers after so many in all. */
  async atLeast(wanted: number): Promise<void> {
    while (this.count < wanted) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}

/** Counts how often it was looked which webhooks there are. */
function looksOf(storage: Storage): Counter {
  const counter = new Counter();
  const list = storage.listDocuments.bind(storage);
  storage.listDocuments = (query) => {
    if (query.kind === "webhook") counter.add();
    return list(query);
  };
  return counter;
}

/** Counts the documents that are written, of those that are wanted. */
function eventsOf(storage: Storage, isWanted: (command: WriteDocument) => boolean): Counter {
  const counter = new Counter();
  const write = storage.writeDocument.bind(storage);
  storage.writeDocument = (command) => {
    const written = write(command);
    if (isWanted(command)) counter.add();
    return written;
  };
  return counter;
}
