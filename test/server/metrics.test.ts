import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { State, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { createOpsCoreClient, type OpsCoreClient } from "../../src/client/index.js";
import { DURATIONS, METRICS } from "../../src/server/metrics/catalogue.js";
import { BRAKE_MIN_AGENTS } from "../../src/storage/storage.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { openSession, RawWatch } from "../helpers/raw-watch.js";
import { aRegistration } from "../helpers/records.js";
import { startServer } from "../helpers/server.js";
import { Receiver } from "../services/webhooks/receiver.js";

/** What `/metrics` said, read as a collector reads it. */
class Scrape {
  readonly types = new Map<string, string>();
  private readonly values = new Map<string, number>();

  static async of(url: string, init?: RequestInit): Promise<Scrape> {
    const response = await fetch(`${url}/metrics`, init);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    return new Scrape(await response.text());
  }

  private constructor(text: string) {
    expect(text.endsWith("\n")).toBe(true);
    for (const line of text.split("\n")) {
      const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (name !== "") {
        expect(this.types.has(name), `${name} comes once`).toBe(false);
        this.types.set(name, type);
      }
      if (line === "" || line.startsWith("#")) continue;
      const [, series = "", value = ""] = /^([a-z_:][a-z0-9_:]*(?:\{.*\})?) (\S+)$/i.exec(line) ?? [];
      expect(series, line).not.toBe("");
      expect(this.values.has(series), `${series} comes once`).toBe(false);
      this.values.set(series, Number(value));
    }
  }

  /** @param series as it stands there: `opscore_calls_total{rpc="…",code="OK"}` */
  value(series: string): number | undefined {
    return this.values.get(series);
  }

  /** The values of a metric by what its labels say. */
  all(name: string): Readonly<Record<string, number>> {
    const own = [...this.values].filter(([series]) => series === name || series.startsWith(`${name}{`));
    return Object.fromEntries(own.map(([series, value]) => [series.slice(name.length), value]));
  }
}

function clientOf(url: string): OpsCoreClient {
  const client = createOpsCoreClient({ baseUrl: url, retry: { maxAttempts: 1 } });
  onTestFinished(() => client.close());
  return client;
}

const RPC = "opscore.v1.StateService";

describe("/metrics", () => {
  it("has every metric of the table, of its type, and those of the process", async () => {
    const { url } = await startServer();
    const { types } = await Scrape.of(url);
    const expected = [...METRICS.filter(({ isRedis }) => isRedis !== true), ...DURATIONS];
    const own = [...types].filter(([name]) => name.startsWith("opscore_"));
    expect(Object.fromEntries(own)).toEqual(Object.fromEntries(expected.map(({ name, type }) => [name, type])));
    expect(types.has("process_cpu_seconds_total")).toBe(true);
    expect(types.has("nodejs_eventloop_lag_seconds")).toBe(true);
  });

  it("counts calls by method and code, and how long the unary ones took", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    await client.agents.registerAgent({ agentId: "a", initialState: State.FINISHED });
    await client.states.getState({ agentId: "a" });
    await client.states.getState({ agentId: "a" });
    await client.states.getState({ agentId: "nobody" }).catch(() => undefined);
    await client.states.setState({ agentId: "a", state: State.IDLE }).catch(() => undefined);
    const scrape = await Scrape.of(url);
    expect(scrape.all("opscore_calls_total")).toEqual({
      '{rpc="opscore.v1.AgentService/RegisterAgent",code="OK"}': 1,
      [`{rpc="${RPC}/GetState",code="OK"}`]: 2,
      [`{rpc="${RPC}/GetState",code="NOT_FOUND"}`]: 1,
      [`{rpc="${RPC}/SetState",code="FAILED_PRECONDITION"}`]: 1,
    });
    const labels = `rpc="${RPC}/GetState"`;
    expect(scrape.value(`opscore_call_duration_seconds_count{${labels}}`)).toBe(3);
    expect(scrape.value(`opscore_call_duration_seconds_sum{${labels}}`)).toBeGreaterThan(0);
    const buckets = Object.entries(scrape.all("opscore_call_duration_seconds_bucket"))
      .filter(([series]) => series.includes(labels))
      .map(([, value]) => value);
    expect(buckets).toHaveLength(14);
    expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
    expect(buckets.at(-1)).toBe(3);
  });

  it("counts what is open while it is open", async () => {
    const { url } = await startServer();
    const client = clientOf(url);
    const watch = client.watchState()[Symbol.asyncIterator]();
    await watch.next();
    const leaving = new AbortController();
    const wait = client.waitForState({ agentId: "a", states: [State.ERROR] }, { signal: leaving.signal });
    const held = client.states.setState({
      ...{ agentId: "late", state: State.IDLE },
      waitForRegistration: durationFromMs(30_000),
    });
    // One connection keeps its order: when the second is answered, what was sent while the first was on its way has come in.
    await client.health.check({});
    await client.health.check({});
    const during = await Scrape.of(url);
    expect(during.all("opscore_open_calls")).toMatchObject({
      [`{rpc="${RPC}/WatchState"}`]: 1,
      [`{rpc="${RPC}/WaitForState"}`]: 1,
      [`{rpc="${RPC}/SetState"}`]: 1,
    });
    expect(during.all("opscore_watchers")).toEqual({ '{condition="live"}': 1, '{condition="behind"}': 0 });
    expect(during.all("opscore_waits")).toEqual({ "": 1 });
    expect(during.all("opscore_held_reports")).toEqual({ "": 1 });
    expect(during.value("opscore_connections")).toBeGreaterThan(0);
    expect(during.value("opscore_ready")).toBe(1);

    await client.agents.registerAgent({ agentId: "late" });
    await held;
    const [registered, reported] = [await watch.next(), await watch.next()];
    expect([registered.done, reported.done]).toEqual([false, false]);
    leaving.abort();
    await wait.catch(() => undefined);
    await watch.return();
    await client.health.check({});
    const after = await Scrape.of(url);
    expect(after.all("opscore_watchers")).toEqual({ '{condition="live"}': 0, '{condition="behind"}': 0 });
    expect(after.all("opscore_waits")).toEqual({ "": 0 });
    expect(after.all("opscore_held_reports")).toEqual({ "": 0 });
    expect(after.all("opscore_commits_total")).toEqual({ '{kind="agent"}': 2, '{kind="session"}': 0 });
    expect(after.all("opscore_watch_events_total")).toEqual({ "": 2 });
    for (const open of Object.values(after.all("opscore_open_calls"))) expect(open).toBe(0);
    // Waits and streams last as long as their clients like.
    expect(JSON.stringify(after.all("opscore_call_duration_seconds_count"))).not.toMatch(/WatchState|WaitForState/);
  });

  it("counts slow watchers that are parked, and those that lost their place", async () => {
    const { url, server } = await startServer({ logMaxEntries: 16, logLevel: "warn" });
    await server.storage.registerAgent(aRegistration("a", { metadata: { filler: "x".repeat(60_000) } }));
    const watch = new RawWatch(openSession(url), {});
    const synced = watch.until(({ resumeToken }) => resumeToken !== "");
    watch.read();
    await synced;
    watch.stream.pause();
    // More than the connection and the watcher's queue take, and more than the log keeps.
    for (let i = 0; i < 200; i += 1) {
      const filler = `${i}${"x".repeat(60_000)}`;
      await server.storage.updateAgent({
        ...{ namespace: "default", agentId: "a", actor: "t", requestId: "", expectedRevision: 0 },
        patch: { metadata: { filler } },
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await Scrape.of(url)).value("opscore_watch_parked_total")).toBe(1);
    const resynced = watch.until(({ kind }) => kind === WatchKind.RESYNC);
    watch.stream.resume();
    await resynced;
    expect((await Scrape.of(url)).value("opscore_watch_resyncs_total")).toBe(1);
  });

  it("counts leases that ran out, and shows the mass-expiry brake", async () => {
    const clock = new FakeClock();
    const logged = new Map<string, () => void>();
    const seen = (msg: string): Promise<void> => new Promise((resolve) => logged.set(msg, resolve));
    const logger = pino({}, { write: (line) => logged.get((JSON.parse(line) as { msg: string }).msg)?.() });
    const { url, server } = await startServer({ leaseSweepIntervalMs: 10 }, { clock, logger });
    for (let i = 0; i < BRAKE_MIN_AGENTS; i += 1)
      await server.storage.registerAgent(aRegistration(`a${i}`, { leaseTtlMs: 1000 }));
    const suspected = seen("leases ran out");
    clock.advance(1001);
    await suspected;
    const braked = seen("too many leases ran out at once: those agents stay SUSPECT");
    clock.advance(501);
    await braked;
    const during = await Scrape.of(url);
    expect(during.value("opscore_mass_expiry_brake")).toBe(BRAKE_MIN_AGENTS);
    const confirmed = seen("the mass-expiry brake was released");
    expect(await server.storage.confirmExpiry("default")).toBe(BRAKE_MIN_AGENTS);
    await confirmed;
    const after = await Scrape.of(url);
    expect(after.value("opscore_mass_expiry_brake")).toBe(0);
    expect(after.value('opscore_lease_expiries_total{liveness="SUSPECT"}')).toBe(BRAKE_MIN_AGENTS);
  });

  it("counts what is sent for webhooks, and says how far behind they are, naming no more than 20", async () => {
    const clock = new FakeClock();
    const { url, server } = await startServer({ outboundAllowPrivate: true, webhookTakeoverMs: 1_000 }, { clock });
    const client = clientOf(url);
    const receiver = await Receiver.start();
    const slow = await Receiver.start();
    slow.answer = () => undefined;
    await client.webhooks.createWebhook({ webhookId: "good", url: receiver.url });
    for (let i = 0; i < 21; i += 1) await client.webhooks.createWebhook({ webhookId: `slow-${i}`, url: slow.url });
    expect((await Scrape.of(url)).all("opscore_webhook_max_lag_seconds")).toEqual({ "": 0 });
    await server.storage.registerAgent(aRegistration("a"));
    await receiver.until(({ received }) => received.length === 1);
    await slow.until(({ received }) => received.length === 21);
    clock.jumpWall(60_000);
    // What was delivered is counted before the next message is sent; what failed, before it is sent again.
    receiver.answer = () => (receiver.received.length === 2 ? 500 : 200);
    await server.storage.registerAgent(aRegistration("b"));
    await receiver.until(({ received }) => received.length === 3);
    const behind = await Scrape.of(url);
    expect(behind.value('opscore_webhook_attempts_total{outcome="delivered"}')).toBeOneOf([1, 2]);
    expect(behind.value('opscore_webhook_attempts_total{outcome="failed"}')).toBe(1);
    expect(behind.value("opscore_webhook_attempt_duration_seconds_count")).toBeOneOf([2, 3]);
    expect(behind.all("opscore_webhook_dead_total")).toEqual({ "": 0 });
    expect(sum(behind.all("opscore_webhooks"))).toBe(22);
    expect(Math.floor(behind.value("opscore_webhook_max_lag_seconds") ?? 0)).toBe(60);
    const lags = Object.entries(behind.all("opscore_webhook_lag_seconds"));
    expect(lags).toHaveLength(20);
    for (const [series, lag] of lags) {
      expect(series).toMatch(/^\{namespace="default",webhook="slow-\d+"\}$/);
      expect(Math.floor(lag)).toBe(60);
    }
  });

  it("asks for the key where there is one, unless it is for everybody", async () => {
    const { url } = await startServer({ apiKey: "k3y" });
    const refused = await fetch(`${url}/metrics`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    expect(await refused.json()).toEqual({ detail: "Authorization header missing" });
    const wrong = await fetch(`${url}/metrics`, { headers: { authorization: "Bearer no" } });
    expect(await wrong.json()).toEqual({ detail: "Invalid authentication credentials" });
    const scrape = await Scrape.of(url, { headers: { authorization: "Bearer k3y" } });
    expect(scrape.value("opscore_ready")).toBe(1);
    const open = await startServer({ apiKey: "k3y", metricsOpen: true });
    expect((await Scrape.of(open.url)).value("opscore_ready")).toBe(1);
  });

  it("answers several at once, and HEAD without a body", async () => {
    const { url } = await startServer();
    const scrapes = await Promise.all(Array.from({ length: 10 }, () => Scrape.of(url)));
    expect(new Set(scrapes.map(({ types }) => types.size)).size).toBe(1);
    const head = await fetch(`${url}/metrics`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });
});

function sum(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((all, value) => all + value, 0);
}

it("names of metrics end as Prometheus wants it", () => {
  for (const { name, type, help } of METRICS) {
    expect(name).toMatch(/^opscore_[a-z_]+$/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    expect(help).toMatch(/\.$/);
  }
});
