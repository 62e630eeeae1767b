import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { freePort } from "../../test/helpers/processes.js";
import { HOST, startDaemon } from "./daemon.js";
import { residentBytes } from "./memory.js";
import type { System } from "./system.js";

/** One etcd node, as Debian's `etcd-server` installs it. */
export const etcd: System = {
  name: "etcd",
  title: "etcd, one node, its files in memory",
  missing: () =>
    spawnSync("etcd", ["--version"]).status === 0 ? undefined : "etcd is not installed (Debian: etcd-server)",

  async start() {
    const [client, peer] = await Promise.all([freePort(), freePort()]);
    const clientUrl = `http://${HOST}:${client}`;
    const peerUrl = `http://${HOST}:${peer}`;
    const { pid, stop } = await startDaemon({
      command: "etcd",
      side: "server",
      args: (folder) => [
        ...["--data-dir", join(folder, "data")],
        ...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
        ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
        ...["--initial-cluster", `default=${peerUrl}`],
        ...["--logger", "zap", "--log-level", "info"],
      ],
      prints: "stderr",
      // 3.4 and later say it in these words.
      ready: "serving client traffic",
    });
    return {
      host: HOST,
      ports: [client],
      pid,
      stop,
      memory: () => Promise.resolve({ resident: residentBytes(pid) ?? 0 }),
    };
  },
};
