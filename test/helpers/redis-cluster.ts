/** A Redis Cluster of three primaries with a replica each, as real processes. */
import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import type { RedisTarget, RedisTls } from "../../src/storage/redis/index.js";
import { slotOf } from "../../src/storage/redis/slot.js";
import type { Certificates } from "./certificates.js";
import { freePort } from "./processes.js";
import { RedisProcess } from "./redis-process.js";
import { untilReplicated } from "./redis-replicas.js";

const PRIMARIES = 3;
const SLOTS = 16_384;
/** Long enough for a busy machine not to make a node fail: a case that wants a failover asks for less. */
const NODE_TIMEOUT_MS = 15_000;
const CONFIG = "nodes.conf";
const KEYS_AT_ONCE = 100;
const MIGRATE_TIMEOUT_MS = 5_000;

interface Node {
  readonly id: string;
  readonly port: number;
  readonly busPort: number;
  /** Undefined for a primary. */
  readonly replicates: string | undefined;
  readonly slots: readonly [first: number, last: number] | undefined;
}

export interface RedisClusterOptions {
  /** For how long a node may be silent before the others count it as failed, in milliseconds. */
  readonly nodeTimeoutMs?: number;
  /** Not given: plain TCP. */
  readonly certificates?: Certificates;
}

export class RedisCluster {
  private readonly clients: Redis[] = [];

  private constructor(
    private readonly nodes: readonly Node[],
    /** The primaries first, then the replica of each. */
    readonly servers: readonly RedisProcess[],
    private readonly certificates: Certificates | undefined,
  ) {}

  /**
   * Starts all nodes with a configuration in which they know each other already, so that there is nothing to ask and little to wait
   * for: until each says that the cluster is well, and each replica that it has what its primary has.
   */
  static async start({
    nodeTimeoutMs = NODE_TIMEOUT_MS,
    certificates,
  }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const nodes = await plan();
    const servers = await Promise.all(
      nodes.map((node) =>
        RedisProcess.start({
          port: node.port,
          files: { [CONFIG]: configOf(node, nodes) },
          settings: {
            "cluster-enabled": "yes",
            "cluster-config-file": CONFIG,
            "cluster-node-timeout": String(nodeTimeoutMs),
            "cluster-port": String(node.busPort),
            "repl-diskless-sync-delay": "0",
            ...(certificates !== undefined && { ...certificates.settings(node.port), "tls-cluster": "yes" }),
          },
        }),
      ),
    );
    await Promise.all(servers.map((server) => server.printed(/Cluster state changed: ok/)));
    const all = new RedisCluster(nodes, servers, certificates);
    await Promise.all(all.primaries.map((primary) => all.untilReplicated(primary)));
    return all;
  }

  /** Waits until the replica of a primary has what it has. */
  untilReplicated(primary: RedisProcess): Promise<void> {
    const keys = Array.from({ length: SLOTS }, (_, index) => `ready-${index}`);
    const key = keys.find((each) => this.ownerOf(slotOf(each)) === primary) ?? "";
    return untilReplicated(this.client(primary), 1, key);
  }

  get target(): RedisTarget {
    return { kind: "cluster", seeds: this.servers.map(({ host, port }) => ({ host, port })), ...this.tls };
  }

  get primaries(): readonly RedisProcess[] {
    return this.servers.slice(0, PRIMARIES);
  }

  /** A client of one node. */
  client(of: RedisProcess): Redis {
    const { host, port } = of;
    const client = new Redis({ host, port, ...this.tls, retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on("error", () => undefined);
    this.clients.push(client);
    return client;
  }

  /** The node that was the primary of a slot when the cluster began. */
  ownerOf(slot: number): RedisProcess {
    return this.serverOf(this.nodes.find(({ slots }) => slots !== undefined && slots[0] <= slot && slot <= slots[1]));
  }

  /** The replica of a primary when the cluster began. */
  replicaOf(primary: RedisProcess): RedisProcess {
    const { id } = this.nodeOf(primary);
    return this.serverOf(this.nodes.find(({ replicates }) => replicates === id));
  }

  /**
   * Moves a slot with its keys, as `redis-cli --cluster reshard` does.
   *
   * @param halfway called when some of its keys are at either node
   */
  async moveSlot(
    slot: number,
    from: RedisProcess,
    to: RedisProcess,
    halfway: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const [source, destination] = [this.client(from), this.client(to)];
    const { id: sourceId } = this.nodeOf(from);
    const { id } = this.nodeOf(to);
    await destination.call("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId);
    await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", id);
    let moved = 0;
    for (;;) {
      const reply = await source.call("CLUSTER", "GETKEYSINSLOT", slot, moved === 0 ? 1 : KEYS_AT_ONCE);
      const keys = Array.isArray(reply) ? reply.map(String) : [];
      if (keys.length === 0) break;
      await source.call("MIGRATE", to.host, to.port, "", 0, MIGRATE_TIMEOUT_MS, "KEYS", ...keys);
      if (moved === 0) await halfway();
      moved += keys.length;
    }
    for (const server of [to, from, ...this.primaries.filter((each) => each !== to && each !== from)]) {
      await this.client(server).call("CLUSTER", "SETSLOT", slot, "NODE", id);
    }
  }

  /** Has a primary's replica take its place though it is well. */
  async handOver(primary: RedisProcess): Promise<void> {
    await this.client(this.replicaOf(primary)).call("CLUSTER", "FAILOVER");
  }

  async remove(): Promise<void> {
    for (const client of this.clients) client.disconnect();
    await Promise.all(this.servers.map((server) => server.remove()));
  }

  private get tls(): { tls?: RedisTls } {
    return this.certificates === undefined ? {} : { tls: this.certificates.client };
  }

  private nodeOf(server: RedisProcess): Node {
    const node = this.nodes.find(({ port }) => port === server.port);
    if (node === undefined) throw new Error(`no node listens on port ${server.port}`);
    return node;
  }

  private serverOf(node: Node | undefined): RedisProcess {
    const server = this.servers.find(({ port }) => port === node?.port);
    if (server === undefined) throw new Error("there is no such node");
    return server;
  }
}

async function plan(): Promise<readonly Node[]> {
  const nodes: Node[] = [];
  for (let index = 0; index < 2 * PRIMARIES; index += 1) {
    const [port, busPort] = [await freePort(), await freePort()];
    const primary = nodes[index - PRIMARIES];
    nodes.push({
      id: createHash("sha1").update(`${process.pid} ${port}`).digest("hex"),
      port,
      busPort,
      replicates: primary?.id,
      slots: primary === undefined ? shareOf(index) : undefined,
    });
  }
  return nodes;
}

function shareOf(index: number): readonly [number, number] {
  const start = (place: number): number => Math.floor((place * SLOTS) / PRIMARIES);
  return [start(index), start(index + 1) - 1];
}

/** What a node wrote down when it last saw the cluster. */
function configOf(self: Node, nodes: readonly Node[]): string {
  const lines = nodes.map((node, index) => {
    const flags = [...(node === self ? ["myself"] : []), node.replicates === undefined ? "master" : "slave"];
    const epoch = (index % PRIMARIES) + 1;
    const slots = node.slots === undefined ? "" : ` ${node.slots[0]}-${node.slots[1]}`;
    const address = `127.0.0.1:${node.port}@${node.busPort}`;
    return `${node.id} ${address} ${flags.join(",")} ${node.replicates ?? "-"} 0 0 ${epoch} connected${slots}`;
  });
  return [...lines, `vars currentEpoch ${PRIMARIES} lastVoteEpoch 0`, ""].join("\n");
}
