/** A subscriber as docs/webhooks.md wants one, who holds every request against what is promised. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Receiver, type Received } from "../services/webhooks/receiver.js";

/** How old a request may be, in seconds. */
const MAX_AGE = 60;

export class Subscriber {
  /** What was not as promised; empty: all is well. */
  readonly wrong: string[] = [];
  /** The numbers of messages that came again. */
  readonly repeated: number[] = [];
  /** How often it was told RESYNC. */
  resyncs = 0;
  private readonly agents = new Map<string, Known>();
  private delivery = 0;
  /** The events of the last message. */
  private last: Taken[] = [];
  private isHolding = false;
  private held = false;

  private constructor(
    private readonly receiver: Receiver,
    private readonly secret: string,
  ) {
    receiver.answer = (request) => {
      this.judge(request);
      this.held = this.isHolding;
      return this.isHolding ? undefined : 204;
    };
  }

  static async start(secret: string): Promise<Subscriber> {
    return new Subscriber(await Receiver.start(), secret);
  }

  get url(): string {
    return this.receiver.url;
  }

  /** Answers no more, and waits for a request that is not answered. */
  async hold(): Promise<void> {
    this.held = false;
    this.isHolding = true;
    await this.receiver.until(() => this.held);
  }

  /** Answers again, also what was not answered so far, if anybody waits for it. */
  release(): void {
    this.isHolding = false;
    this.receiver.answerLate(204);
  }

  /** Answers when `isThere` holds of what came. */
  until(isThere: (subscriber: this) => boolean): Promise<void> {
    return this.receiver.until(() => isThere(this));
  }

  /** The newest revision of an agent that it was told of. */
  newest(agentId: string): bigint {
    return this.agents.get(agentId)?.newest ?? 0n;
  }

  /** Those of an agent's revisions that it was told nothing of, neither as an event nor by a snapshot that came after them. */
  missing(agentId: string, revisions: readonly bigint[]): readonly bigint[] {
    const { events, gaps } = this.agents.get(agentId) ?? nothingKnown();
    return revisions.filter((r) => !events.has(r) && !gaps.some(([after, upTo]) => after < r && r <= upTo));
  }

  /** How many events it got of an agent. */
  events(agentId: string): number {
    return this.agents.get(agentId)?.events.size ?? 0;
  }

  private judge(request: Received): void {
    if (!isGenuine(this.secret, request)) this.wrong.push(`not genuine: ${JSON.stringify(request.headers)}`);
    const { message } = request;
    const delivery = Number(request.headers["x-opscore-delivery"]);
    if (delivery === this.delivery) this.forgetLast();
    else if (delivery !== this.delivery + 1) this.wrong.push(`${delivery} came after ${this.delivery}`);
    this.delivery = delivery;
    this.last = [];
    switch (message.kind) {
      case "WATCH_KIND_EVENTS":
        for (const { state } of message.events ?? []) this.take(state.agentId, BigInt(state.revision));
        break;
      case "WATCH_KIND_RESYNC":
        this.resyncs += 1;
        break;
      case "WATCH_KIND_SNAPSHOT":
        for (const { agentId, revision } of message.states ?? []) this.skip(agentId, BigInt(revision));
        break;
      case "WATCH_KIND_SYNCED":
        break;
      default:
        this.wrong.push(`is ${message.kind}`);
    }
  }

  private take(agentId: string, revision: bigint): void {
    const agent = this.agents.get(agentId) ?? nothingKnown();
    this.agents.set(agentId, agent);
    if (revision <= agent.newest) this.wrong.push(`${agentId}: ${revision} came after ${agent.newest}`);
    this.last.push({ agent, revision, before: agent.newest });
    agent.events.add(revision);
    agent.newest = revision;
  }

  /** The last message comes again, perhaps in other company: all of it must, now or with the next ones, and nothing else may. */
  private forgetLast(): void {
    this.repeated.push(this.delivery);
    for (const { agent, revision, before } of this.last.toReversed()) {
      agent.events.delete(revision);
      agent.newest = before;
    }
  }

  /** A snapshot stands for what came before it; nothing of which it was told before may be undone. */
  private skip(agentId: string, revision: bigint): void {
    const agent = this.agents.get(agentId) ?? nothingKnown();
    this.agents.set(agentId, agent);
    if (revision < agent.newest) this.wrong.push(`${agentId}: ${revision} in a snapshot after ${agent.newest}`);
    agent.gaps.push([agent.newest, revision]);
    agent.newest = revision;
  }
}

/** What it was told of an agent. */
interface Known {
  readonly events: Set<bigint>;
  /** What a snapshot stands for: what came after the first revision, up to the second. */
  readonly gaps: [after: bigint, upTo: bigint][];
  newest: bigint;
}

function nothingKnown(): Known {
  return { events: new Set(), gaps: [], newest: 0n };
}

interface Taken {
  readonly agent: Known;
  readonly revision: bigint;
  /** What was the newest one before. */
  readonly before: bigint;
}

function isGenuine(secret: string, { headers, body }: Received): boolean {
  const timestamp = String(headers["x-opscore-timestamp"]);
  const expected = createHmac("sha256", secret).update(`${timestamp}.${body}`).digest();
  const given = Buffer.from(String(headers["x-opscore-signature"]), "hex");
  const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) < MAX_AGE;
  return isRecent && given.length === expected.length && timingSafeEqual(given, expected);
}
