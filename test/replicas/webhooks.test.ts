/** A webhook under load, while what sends for it is killed, stopped and started: docs/webhooks.md says what holds then. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, it, onTestFinished } from "vitest";
import { WebhookService } from "../../gen/opscore/v1/webhook_service_pb.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { ServerProcess } from "../helpers/server-process.js";
import { clientsOf, historyOf, Load, registerAgents, type Clients } from "./load.js";
import { Subscriber } from "./subscriber.js";

const AGENTS = 20;
const PER_SECOND = 300;
const SECRET = "a-secret-of-16-or-more";

interface Replica {
  readonly server: ServerProcess;
  readonly clients: Clients;
}

/** The replicas of a deployment, as many as are asked for. */
class Replicas {
  private readonly all: Replica[] = [];
  private turn = 0;

  constructor(private readonly settings: Readonly<Record<string, string>>) {}

  async add(): Promise<Replica> {
    const server = await ServerProcess.start(this.settings);
    const replica = { server, clients: clientsOf(server.url) };
    this.all.push(replica);
    return replica;
  }

  /** One after the other. */
  next(): Replica {
    this.turn += 1;
    const replica = this.all[this.turn % this.all.length];
    if (replica === undefined) throw new Error("there are no replicas");
    return replica;
  }

  /** The one that sends for a webhook, and no other may; it gets no more calls. */
  async removeSender(): Promise<ServerProcess> {
    const counts = await Promise.all(this.all.map(({ server }) => webhooksOf(server.url)));
    expect(counts.toSorted()).toEqual([0, 1]);
    const [sender] = this.all.splice(counts.indexOf(1), 1);
    if (sender === undefined) throw new Error("nobody sends");
    return sender.server;
  }
}

/** For how many webhooks a server sends. */
async function webhooksOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = [...text.matchAll(/^opscore_webhooks\{condition="\w+"\} (\d+)$/gm)].map(([, count]) => Number(count));
  expect(counts).toHaveLength(2);
  return counts.reduce((sum, count) => sum + count, 0);
}

it(
  "a webhook gets every event in order, whatever is killed, and again only what was on its way",
  // 20 seconds by itself; five times that on a machine whose cores ten others want.
  { timeout: 300_000 },
  async () => {
    const redis = await RedisProcess.start({ settings: { appendonly: "yes", appendfsync: "always" } });
    onTestFinished(() => redis.remove());
    const replicas = new Replicas({
      ...{ OPSCORE_STORAGE_TYPE: "redis", REDIS_URL: redis.url, OPSCORE_HISTORY_MAX_ENTRIES: "10000" },
      ...{ OPSCORE_OUTBOUND_ALLOW_PRIVATE: "true", OPSCORE_WEBHOOK_TAKEOVER: "4s", LOG_LEVEL: "silent" },
    });
    const [one] = await Promise.all([replicas.add(), replicas.add()]);
    const subscriber = await Subscriber.start(SECRET);
    const webhooks = createClient(WebhookService, createGrpcTransport({ baseUrl: one.server.url }));
    await webhooks.createWebhook({ url: subscriber.url, secret: SECRET });
    const ids = await registerAgents(one.clients, AGENTS);
    const load = new Load(ids, () => replicas.next().clients.states);
    load.start(PER_SECOND);

    /** There is as much load as before, and all of it is delivered. */
    const goesOn = async () => {
      await load.reached(load.acknowledged.size + 200);
      const newest = [...load.acknowledged.values()];
      await subscriber.until(() => newest.every(({ agentId, revision }) => revision <= subscriber.newest(agentId)));
      expect(subscriber.wrong).toEqual([]);
    };
    await goesOn();

    await subscriber.hold();
    const stopped = (await replicas.removeSender()).stop();
    subscriber.release();
    await stopped;
    await goesOn();
    expect(subscriber.repeated).toEqual([]);
    await replicas.add();

    await subscriber.hold();
    await (await replicas.removeSender()).kill();
    subscriber.release();
    await goesOn();
    expect(subscriber.repeated).toHaveLength(1);
    await replicas.add();
    // So far nothing but events.
    expect(subscriber.resyncs).toBe(0);

    // Redis begins a new epoch: what was not delivered then is told by a snapshot.
    await redis.kill();
    await redis.start();
    await goesOn();
    expect(subscriber.resyncs).toBeGreaterThan(0);

    // Both at once.
    await subscriber.hold();
    await Promise.all([replicas.removeSender().then((sender) => sender.kill()), redis.kill()]);
    subscriber.release();
    await redis.start();
    await goesOn();
    await load.stop();

    // The log is the judge.
    const { clients } = replicas.next();
    for (const agentId of ids) {
      const history = await historyOf(clients, agentId);
      const revisions = history.map(({ revision }) => revision);
      await subscriber.until(() => subscriber.newest(agentId) >= (revisions.at(-1) ?? 0n));
      expect(subscriber.missing(agentId, revisions)).toEqual([]);
      expect(subscriber.events(agentId)).toBeGreaterThan(50);
      const inLog = new Map(history.map(({ message, revision }) => [message, revision]));
      for (const [message, state] of load.acknowledged) {
        if (state.agentId === agentId) expect(inLog.get(message), message).toBe(state.revision);
      }
    }
    expect(subscriber.wrong).toEqual([]);
    // The first of the two kills has one message come again; the second may, or Redis has begun anew.
    expect(subscriber.repeated.length).toBeLessThanOrEqual(2);
  },
);
