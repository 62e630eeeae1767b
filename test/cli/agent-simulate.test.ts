import { expect, it } from "vitest";
import { State } from "../../src/storage/records.js";
import { FakeScheduler } from "../client/helpers/fake-scheduler.js";
import { RestartableServer } from "../client/helpers/restartable-server.js";
import { freePort } from "../helpers/processes.js";
import { startServer } from "../helpers/server.js";
import { CheckedWatch } from "../helpers/state-watch.js";
import { openSession } from "../helpers/raw-watch.js";
import { jsonLines, Shell } from "./harness.js";

it("opscore agent simulate reports idle and active in turn until it is told to stop, and finished then", async () => {
  const { url, server } = await startServer();
  const watch = new CheckedWatch();
  watch.open(openSession(url));
  await watch.synced();
  const agent = new Shell(url).start("agent simulate sim-1 --pace 5ms --capability pretend --lease-ttl 30s");
  await watch.until(({ events }) => events.length >= 6);
  expect(await agent.stop()).toBe(0);
  expect(agent.stdout.lines[0]).toBe("sim-1 is registered");
  const states = watch.events.slice(1, 5).map(({ state }) => state?.state);
  expect(states).toEqual([State.IDLE, State.ACTIVE, State.IDLE, State.ACTIVE]);
  const found = await server.storage.getAgent({ namespace: "default", agentId: "sim-1" });
  expect(found?.record).toMatchObject({ capabilities: ["pretend"], leaseTtlMs: 30_000 });
  expect(found?.state.state).toBe(State.FINISHED);
});

it("opscore agent simulate --json says what happens to it in JSON lines", async () => {
  const { url } = await startServer();
  const shell = new Shell(url);
  const agent = shell.start("agent simulate sim-1 --pace 5ms --json");
  await agent.stdout.seen("registered");
  await shell.text("agent register sim-1");
  expect(await agent.exit).toBe(4);
  const message: unknown = expect.stringContaining("was replaced by incarnation 2");
  expect(jsonLines(agent.stdout.text)).toEqual([
    { event: "registered", agentId: "sim-1" },
    { event: "superseded", agentId: "sim-1", message },
  ]);
});

it("opscore agent simulate says so when nobody hears its last word", async () => {
  const scheduler = new FakeScheduler();
  const server = await RestartableServer.start();
  const agent = new Shell(server.url).start("agent simulate sim-1 --pace 1h", { scheduler });
  await scheduler.armed(3_600_000);
  await server.stop();
  const end = agent.stop();
  // For so long it tries.
  await scheduler.elapse(5_000);
  expect(await end).toBe(0);
  expect(agent.stdout.lines.at(-1)).toBe("the server could not be told of the end");
});

it("opscore agent simulate ends when another agent takes its id", async () => {
  const { url } = await startServer();
  const shell = new Shell(url);
  const first = shell.start("agent simulate sim-1 --pace 5ms");
  await first.stdout.seen("is registered");
  await shell.text("agent register sim-1");
  expect(await first.exit).toBe(4);
  expect(first.stdout.text).toMatch(/superseded: /);
});

it("opscore agent simulate says so when there is no server", async () => {
  const agent = new Shell(`http://127.0.0.1:${await freePort()}`).start("agent simulate sim-1");
  expect(await agent.exit).toBe(6);
  expect(agent.stderr.text).toMatch(/^error: cannot reach the server at /);
});
