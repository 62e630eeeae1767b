/** Webhooks of which several replicas take care. */
import { describe, expect, it } from "vitest";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import type { WebhookDeliveries } from "../../../src/services/webhooks/deliveries.js";
import { Receiver } from "./receiver.js";
import { looksOf, numbers, setUp } from "./sending.js";

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

function sum(replicas: readonly WebhookDeliveries[]): number {
  return replicas.reduce((all, { size }) => all + size, 0);
}
