/**
 * `docker-compose.yml` without Docker: the same commands with the same settings, as processes of this machine. Only the names of
 * services are replaced by addresses here, and the ports by free ones.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSession } from "../helpers/raw-watch.js";
import { freePort } from "../helpers/processes.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { root } from "../helpers/repository.js";
import { plainEnvironment, runToEnd } from "../helpers/run.js";
import { CheckedWatch } from "../helpers/state-watch.js";
import { requireCommand } from "../helpers/system.js";
import { readCompose, readDockerfile, type Service } from "./compose.js";

const services = readCompose();
const image = readDockerfile();

let redis: RedisProcess;
/** What stands for `NAME:PORT` of a service here. */
const addresses = new Map<string, string>();
const children: ChildProcess[] = [];
const servers: ChildProcess[] = [];

function service(name: string): Service {
  const found = services.get(name);
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
}

/** Text with the names of services replaced by their addresses here. */
function local(text: string): string {
  return [...addresses].reduce((known, [name, address]) => known.replaceAll(name, address), text);
}

function environmentOf({ environment = {} }: Service): NodeJS.ProcessEnv {
  const own = Object.entries(environment).map(([name, value]) => [name, local(value)]);
  return { ...plainEnvironment(), ...image.env, ...(Object.fromEntries(own) as Record<string, string>) };
}

/** Starts a process that is killed at the end; answers when it has written a line that matches. */
async function start(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  line: RegExp,
): Promise<ChildProcess> {
  const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  for await (const text of createInterface({ input: child.stdout })) {
    said += `${text}\n`;
    if (line.test(text)) return child;
  }
  throw new Error(`${command} ended:\n${said}`);
}

/** What the health check of a service answers. */
async function health(name: string): Promise<number | null> {
  const { healthcheck } = service(name);
  const [kind, ...words] = healthcheck?.test ?? (["CMD", ...image.healthcheck] as const);
  const env = environmentOf(service(name));
  if (kind === "CMD-SHELL") {
    // Inside its container it has the usual port.
    const script = words.join(" ").replace("redis-cli", `redis-cli -p ${redis.port}`);
    return (await runToEnd("sh", ["-c", script], { env })).code;
  }
  const [command = "", ...args] = words.map(local);
  const at = addresses.get(`${name}:8080`);
  const here = args.map((word) => (at === undefined ? word : word.replace("127.0.0.1:8080", at)));
  const url = name.startsWith("opscore") ? { OPSCORE_URL: `http://${at ?? ""}` } : {};
  const ended = await runToEnd(command === "node" ? process.execPath : command, here, {
    cwd: root,
    env: { ...env, ...url },
  });
  return ended.code;
}

const balancer = (): string => `http://${addresses.get("balancer:8080") ?? ""}`;
const authorized = { authorization: "Bearer development" };

/** How many calls of a method a replica has had, by its metrics. */
async function callsOn(name: string, rpc: string): Promise<number> {
  const text = await (
    await fetch(`http://${addresses.get(`${name}:8080`) ?? ""}/metrics`, { headers: authorized })
  ).text();
  return Number(new RegExp(`^opscore_calls_total\\{rpc="${rpc}",code="OK"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

beforeAll(async () => {
  requireCommand("haproxy");
  requireCommand("wget");
  const [, ...words] = service("redis").command ?? [];
  const settings = words.map((word, i) => [word.replace(/^--/, ""), words[i + 1] ?? ""]).filter((_, i) => i % 2 === 0);
  redis = await RedisProcess.start({ settings: Object.fromEntries(settings) as Record<string, string> });
  addresses.set("redis:6379", `127.0.0.1:${redis.port}`);
  expect(await health("redis")).toBe(0);

  for (const name of ["opscore-1", "opscore-2"]) {
    const port = await freePort();
    const env = { ...environmentOf(service(name)), OPSCORE_HOST: "127.0.0.1", OPSCORE_PORT: String(port) };
    const [, ...args] = [...image.entrypoint, ...image.command];
    servers.push(await start(process.execPath, args, env, /^listening on/));
    addresses.set(`${name}:8080`, `127.0.0.1:${port}`);
    expect(await health(name)).toBe(0);
  }

  const port = await freePort();
  addresses.set("balancer:8080", `127.0.0.1:${port}`);
  const [file = ""] = service("balancer").volumes?.[0]?.split(":") ?? [];
  const env = {
    ...environmentOf(service("balancer")),
    BALANCER_BIND: `127.0.0.1:${port}`,
    REPLICA_ONE: addresses.get("opscore-1:8080"),
    REPLICA_TWO: addresses.get("opscore-2:8080"),
  };
  children.push(spawn("haproxy", ["-db", "-f", join(root, file)], { env, stdio: "ignore" }));
  // It tries again while nobody listens there yet.
  await runToEnd("curl", ["-sf", "--retry", "50", "--retry-delay", "0", "--retry-all-errors", `${balancer()}/readyz`]);
  expect(await health("balancer")).toBe(0);

  await start(
    process.execPath,
    [...image.entrypoint.slice(1), ...(service("agent").command ?? []), "--pace", "20ms"],
    environmentOf(service("agent")),
    /^sim-1 is registered$/,
  );
  expect(await health("agent")).toBe(0);
}, 120_000);

afterAll(async () => {
  const ended = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  await Promise.all(
    ended.map((child) => {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      return exit;
    }),
  );
  await redis.remove();
});

describe("the deployment of docker-compose.yml", () => {
  it("shows the agent's events through the balancer, call by call on both replicas", async () => {
    const session = openSession(balancer(), authorized);
    const watches = Array.from({ length: 4 }, () => new CheckedWatch());
    for (const watch of watches) watch.open(session);
    for (const watch of watches) await watch.until(({ events }) => events.length >= 10);
    // One connection of the agent, and its reports are on both.
    for (const name of ["opscore-1", "opscore-2"]) {
      expect(await callsOn(name, "opscore.v1.StateService/SetState"), name).toBeGreaterThan(0);
    }
    for (const watch of watches) watch.close();
  });

  it(
    "goes on when a replica is killed: the agent reports, and watches resume on the other",
    { timeout: 60_000 },
    async () => {
      const session = openSession(balancer(), authorized);
      const watches = Array.from(
        { length: 4 },
        () =>
          new CheckedWatch((ended) => {
            if (!session.destroyed) ended.open(session);
          }),
      );
      for (const watch of watches) {
        watch.open(session);
        await watch.synced();
      }
      servers[0]?.kill("SIGKILL");
      for (const watch of watches) {
        const seen = watch.events.length;
        await watch.until(({ events }) => events.length >= seen + 20);
        expect(watch.resyncs).toBe(0);
      }
      expect(await health("opscore-1")).toBe(6);
      expect(await health("opscore-2")).toBe(0);
      expect(await health("balancer")).toBe(0);
      expect(await health("agent")).toBe(0);
    },
  );
});
