/** The `cluster` profile of `docker-compose.yml` without Docker: its six nodes, what makes them a Cluster, and the server on it. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { createOpsCoreClient } from "../../src/client/index.js";
import { freePort } from "../helpers/processes.js";
import { RedisProcess } from "../helpers/redis-process.js";
import { runToEnd } from "../helpers/run.js";
import { ServerProcess } from "../helpers/server-process.js";
import { readCompose } from "./compose.js";

const services = readCompose();
const nodes: RedisProcess[] = [];
/** What stands for the address of each node here. */
const addresses = new Map<string, { readonly port: number; readonly busPort: number }>();

/** Text with the addresses of the nodes replaced; where they are told to each other, with the port of their bus. */
function local(text: string): string {
  return [...addresses].reduce(
    (known, [ip, { port, busPort }]) =>
      known
        .replaceAll(`-h ${ip} -p 6379`, `-h 127.0.0.1 -p ${port}`)
        .replaceAll(`${ip}:6379`, `127.0.0.1:${port}@${busPort}`),
    text,
  );
}

beforeAll(async () => {
  for (const [name, { command = [], networks }] of services) {
    if (!/^cluster-\d$/.test(name)) continue;
    const [, ...words] = command;
    const pairs = words.map((word, i) => [word.replace(/^--/, ""), words[i + 1] ?? ""]).filter((_, i) => i % 2 === 0);
    const busPort = await freePort();
    const settings = { ...(Object.fromEntries(pairs) as Record<string, string>), "cluster-port": String(busPort) };
    const node = await RedisProcess.start({ settings });
    nodes.push(node);
    const ip = Array.isArray(networks) ? undefined : networks?.["cluster"]?.ipv4_address;
    addresses.set(ip ?? "", { port: node.port, busPort });
  }
}, 60_000);

afterAll(() => Promise.all(nodes.map((node) => node.remove())));

it("makes a Cluster of its nodes, once, and the server uses it", { timeout: 60_000 }, async () => {
  const { command = [] } = services.get("cluster-init") ?? {};
  const [shell = "", ...args] = command;
  const made = await runToEnd(shell, args.map(local));
  expect(made.code, made.stdout + made.stderr).toBe(0);
  expect(made.stdout).toContain("All 16384 slots covered");
  // Started again, it sees that there is nothing to do.
  expect(await runToEnd(shell, args.map(local))).toMatchObject({ code: 0, stdout: "" });

  const { environment = {} } = services.get("opscore-cluster") ?? {};
  const settings = Object.entries(environment).map(([name, value]) => [name, local(value).replace(/@\d+/g, "")]);
  const server = await ServerProcess.start(Object.fromEntries(settings) as Record<string, string>);
  const client = createOpsCoreClient({ baseUrl: server.url, apiKey: environment["OPSCORE_API_KEY"] });
  for (let i = 0; i < 20; i += 1) await client.agents.registerAgent({ agentId: `a${i}`, initialState: State.IDLE });
  const { agents } = await client.agents.listAgents({ pageSize: 100, states: [State.IDLE] });
  expect(agents).toHaveLength(20);
  client.close();
});
