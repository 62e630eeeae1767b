import type { Redis } from "ioredis";
import { formatAddress, type RedisAddress } from "./target.js";

/** How long one node may take to tell what it knows, in milliseconds. */
const ANSWER_MS = 400;
/** What is not older than this is not asked for again, in milliseconds. */
const FRESH_MS = 50;

/** A stretch of slots and the primary that has it. */
interface Stretch {
  readonly first: number;
  readonly last: number;
  readonly primary: RedisAddress;
}

/**
 * Which node of a Redis Cluster is the primary of a slot: as any node tells it, or as a redirection did since. What is told may be
 * old; the node that is asked then says so, and the next look is at what another one tells.
 */
export class ClusterMap {
  private stretches: readonly Stretch[] = [];
  private readonly redirections = new Map<number, RedisAddress>();
  private nodes: readonly RedisAddress[];
  private turn = 0;
  private refreshedAt = -Infinity;
  private refreshing: Promise<void> | undefined;

  /**
   * @param seeds nodes to begin with
   * @param connect makes a client for one node, not connected yet, which does not try again
   */
  constructor(
    private readonly seeds: readonly RedisAddress[],
    private readonly connect: (address: RedisAddress) => Redis,
  ) {
    this.nodes = seeds;
  }

  /**
   * The primary of a slot, by what is known now.
   *
   * @throws Error when no node can be asked, or none knows
   */
  async primaryOf(slot: number): Promise<RedisAddress> {
    const redirection = this.redirections.get(slot);
    if (redirection !== undefined) {
      // Good for one attempt: if it fails, the nodes know better by now.
      this.redirections.delete(slot);
      return redirection;
    }
    if (performance.now() - this.refreshedAt > FRESH_MS) await this.refresh();
    const stretch = this.stretches.find(({ first, last }) => first <= slot && slot <= last);
    if (stretch === undefined) throw new Error(`no node of the Redis Cluster has slot ${slot}`);
    return stretch.primary;
  }

  /** A node said where a slot is. */
  redirect(slot: number, to: RedisAddress): void {
    this.redirections.set(slot, to);
  }

  private refresh(): Promise<void> {
    return (this.refreshing ??= this.askAround().finally(() => {
      this.refreshing = undefined;
    }));
  }

  /** Asks one node after the other, each time beginning with the next one: one that is cut off from the others knows old things. */
  private async askAround(): Promise<void> {
    const candidates = [...this.nodes, ...this.seeds.filter((seed) => !this.nodes.some((node) => isSame(node, seed)))];
    this.turn += 1;
    let failure: unknown;
    for (let index = 0; index < candidates.length; index += 1) {
      const node = candidates[(this.turn + index) % candidates.length];
      if (node === undefined) continue;
      try {
        this.learn(await this.ask(node), node);
        this.refreshedAt = performance.now();
        return;
      } catch (thrown) {
        failure = thrown;
      }
    }
    throw new Error("no node of the Redis Cluster answers", { cause: failure });
  }

  private async ask(node: RedisAddress): Promise<unknown> {
    const client = this.connect(node);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${formatAddress(node)} does not answer`)), ANSWER_MS);
    });
    let failure: unknown;
    client.on("error", (error: unknown) => (failure = error));
    try {
      const answer = client.connect().then(() => client.cluster("SLOTS"));
      return await Promise.race([answer, late]);
    } catch (thrown) {
      throw failure ?? thrown;
    } finally {
      clearTimeout(timer);
      client.disconnect();
    }
  }

  /** Takes what CLUSTER SLOTS answers: for each stretch its first and last slot, then the nodes that have it, the primary first. */
  private learn(answer: unknown, asked: RedisAddress): void {
    const stretches: Stretch[] = [];
    const nodes = new Map<string, RedisAddress>();
    for (const row of asList(answer)) {
      const [first, last, ...servers] = asList(row);
      const addresses = servers.map((server) => parseNode(server, asked));
      for (const address of addresses) nodes.set(formatAddress(address), address);
      const [primary] = addresses;
      if (primary !== undefined) stretches.push({ first: Number(first), last: Number(last), primary });
    }
    if (stretches.length === 0) throw new Error(`${formatAddress(asked)} knows no slots`);
    this.stretches = stretches;
    this.nodes = [...nodes.values()];
  }
}

/** A node that does not know its own host is at the one that was asked. */
function parseNode(server: unknown, asked: RedisAddress): RedisAddress {
  const [host, port] = asList(server);
  const isKnown = typeof host === "string" && host !== "" && host !== "?";
  return { host: isKnown ? host : asked.host, port: Number(port) };
}

function asList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("CLUSTER SLOTS answers lists");
  return value;
}

function isSame(a: RedisAddress, b: RedisAddress): boolean {
  return a.host === b.host && a.port === b.port;
}
