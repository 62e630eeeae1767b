import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onCore } from "../harness/cores.js";
import { residentBytes } from "./memory.js";
import type { System } from "./system.js";

const HOST = "127.0.0.1";
/** Its files are kept in memory where that is possible: disks are not what is compared. */
const MEMORY_FOLDER = "/dev/shm";
/** What it logs when it listens: 3.4 and later say it in these words. */
const READY = "serving client traffic";

/** One etcd node, as Debian's `etcd-server` installs it. */
export const etcd: System = {
  name: "etcd",
  title: "etcd, one node, its files in memory",
  missing: () =>
    spawnSync("etcd", ["--version"]).status === 0 ? undefined : "etcd is not installed (Debian: etcd-server)",

  async start() {
    const folder = await mkdtemp(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), "opscore-bench-etcd-"));
    const [client, peer] = await Promise.all([freePort(), freePort()]);
    const clientUrl = `http://${HOST}:${client}`;
    const peerUrl = `http://${HOST}:${peer}`;
    const [command, args] = onCore("server", "etcd", [
      ...["--data-dir", join(folder, "data")],
      ...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
      ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
      ...["--initial-cluster", `default=${peerUrl}`],
      ...["--logger", "zap", "--log-level", "info"],
    ]);
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    // A bench that is interrupted must not leave it behind: unlike the other servers it does not notice.
    const abandon = (): void => {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    };
    process.once("exit", abandon);
    const stop = async (): Promise<void> => {
      process.off("exit", abandon);
      await end(child);
      await rm(folder, { recursive: true, force: true });
    };
    try {
      await ready(child);
      const { pid } = child;
      if (pid === undefined) throw new Error("etcd has no process");
      return {
        host: HOST,
        port: client,
        pid,
        stop,
        memory: () => Promise.resolve({ resident: residentBytes(pid) ?? 0 }),
      };
    } catch (error) {
      await stop();
      throw error;
    }
  },
};

async function ready(child: ChildProcess): Promise<void> {
  if (child.stderr === null) throw new Error("its output is piped");
  const lines = createInterface({ input: child.stderr });
  const last: string[] = [];
  for await (const line of lines) {
    if (line.includes(READY)) {
      child.stderr.resume();
      return;
    }
    if (last.push(line) > 10) last.shift();
  }
  throw new Error(`etcd did not start:\n${last.join("\n")}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
