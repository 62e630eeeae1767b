/** The deployment files, held against the code: what they name must exist, and mean what they take it to mean. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/index.js";
import { redisTarget } from "../../src/server/redis-target.js";
import { root } from "../helpers/repository.js";
import { plainEnvironment, runToEnd } from "../helpers/run.js";
import { requireCommand } from "../helpers/system.js";
import { readCompose, readDockerfile } from "./compose.js";

const services = readCompose();
const image = readDockerfile();
const servers = [...services].filter(([name]) => name.startsWith("opscore"));
const MAIN = join(root, "dist/src/cli/main.js");

beforeAll(() => {
  requireCommand("haproxy");
});

describe("Dockerfile", () => {
  it("makes an image that runs the built command as nobody special", () => {
    expect(image.user).toBe("node");
    const [node = "", file = "", ...rest] = image.entrypoint;
    expect([node, rest]).toEqual(["node", []]);
    expect(existsSync(join(root, file))).toBe(true);
    expect(image.command).toEqual(["serve"]);
    expect(image.copied.every((path) => path.startsWith("/build/"))).toBe(true);
  });

  it("runs on a Node.js that the package supports", () => {
    const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { engines: { node: string } };
    const least = Number(/^>=(\d+)/.exec(engines.node)?.[1]);
    const version = Number(/^node:(\d+)-alpine$/.exec(image.base)?.[1]);
    expect(version).toBeGreaterThanOrEqual(least);
    expect(readFileSync(join(root, ".github/workflows/ci.yml"), "utf8")).toContain(`"${version}"`);
  });

  it("copies what exists and what .dockerignore lets through", () => {
    const through = readFileSync(join(root, ".dockerignore"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    expect([...image.sources].sort()).toEqual(through.sort());
    for (const path of image.sources) expect(existsSync(join(root, path)), path).toBe(true);
  });

  it("sets what the server knows, and does not start without a key", async () => {
    const { NODE_ENV, ...settings } = image.env;
    expect(NODE_ENV).toBe("production");
    expect(() => loadConfig({ env: settings })).toThrow(/OPSCORE_API_KEY/);
    const config = loadConfig({ env: { ...settings, OPSCORE_API_KEY: "k" } });
    expect(image.ports).toEqual([config.port]);
    const env = { ...plainEnvironment(), ...settings };
    expect((await runToEnd(process.execPath, [MAIN, ...image.command], { env })).code).toBe(2);
  });
});

describe("docker-compose.yml", () => {
  it("takes images of one version, of Redis 7 and of a HAProxy no newer than the one tested here", () => {
    for (const [name, { image: of }] of services) expect(of, name).toMatch(/^(redis|haproxy|opscore):[\w.-]+$/);
    for (const [name, { image: of }] of services) if (of.startsWith("redis:")) expect(of, name).toMatch(/^redis:7\./);
    const tested = /version (\d+\.\d+)/.exec(execFileSync("haproxy", ["-v"], { encoding: "utf8" }))?.[1];
    const wanted = /^haproxy:(\d+\.\d+)-/.exec(services.get("balancer")?.image ?? "")?.[1];
    expect(Number(tested)).toBeGreaterThanOrEqual(Number(wanted));
  });

  it("opens ports on loopback only, Redis where the older set-up had it", () => {
    const ports = Object.fromEntries([...services].flatMap(([name, { ports: own }]) => (own ? [[name, own]] : [])));
    expect(ports).toEqual({
      redis: ["127.0.0.1:6380:6379"],
      balancer: ["127.0.0.1:8080:8080"],
      "opscore-cluster": ["127.0.0.1:8081:8080"],
    });
  });

  it.each(servers)(
    "%s has settings that the server takes",
    (_, { environment = {}, image: of, build, stop_grace_period: grace }) => {
      expect([of, build]).toEqual(["opscore:local", "."]);
      const config = loadConfig({ env: { ...image.env, ...environment } });
      expect(config.storageType).toBe("redis");
      expect(config.apiKey).toBe("development");
      expect(parseInt(grace ?? "0", 10) * 1000).toBeGreaterThan(config.drainTimeoutMs);
      const target = redisTarget(config);
      const hosts = target.kind === "cluster" ? target.seeds : target.kind === "standalone" ? [target.address] : [];
      const names = new Set([...services].flatMap(([name, service]) => [name, addressOf(service)]));
      expect(hosts.length).toBeGreaterThan(0);
      for (const { host, port } of hosts) expect([names.has(host), port], host).toEqual([true, 6379]);
    },
  );

  it("waits for what can be waited for", () => {
    for (const [name, { depends_on: needs = {} }] of services) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        const service = services.get(needed);
        // The servers have the health check of the image.
        const isChecked = service?.healthcheck !== undefined || service?.build !== undefined;
        expect(condition === "service_healthy" ? isChecked : service?.restart === "no", `${name} needs ${needed}`).toBe(
          true,
        );
      }
    }
  });

  it("gives the balancer a configuration that HAProxy takes", () => {
    const [volume = ""] = services.get("balancer")?.volumes ?? [];
    const [file = "", inside] = volume.split(":");
    expect(inside).toBe("/usr/local/etc/haproxy/haproxy.cfg");
    execFileSync("haproxy", ["-c", "-q", "-f", join(root, file)], { stdio: "pipe" });
    const text = readFileSync(join(root, file), "utf8");
    for (const [, name = ""] of text.matchAll(/\$\{REPLICA_\w+-([\w-]+):8080\}/g))
      expect(services.has(name), name).toBe(true);
  });

  it("makes a cluster of six nodes that all exist", () => {
    const nodes = [...services].filter(([name]) => /^cluster-\d$/.test(name)).map(([, service]) => addressOf(service));
    expect(new Set(nodes).size).toBe(6);
    const script = services.get("cluster-init")?.command?.at(-1) ?? "";
    expect(new Set([...script.matchAll(/172\.30\.70\.\d+/g)].map(([address]) => address))).toEqual(new Set(nodes));
    for (const [name, { profiles = [] }] of services) {
      expect(profiles, name).toEqual(name.includes("cluster") ? ["cluster"] : []);
    }
  });
});

/** The address of a service that has a fixed one. */
function addressOf({ networks }: { readonly networks?: unknown }): string {
  return /"ipv4_address":"([\d.]+)"/.exec(JSON.stringify(networks ?? {}))?.[1] ?? "";
}
