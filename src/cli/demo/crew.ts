/**
 * The demonstration for a person: a few agents at work for as long as somebody looks. The work is made up; the agents, what they report
 * and what is shown of it are real.
 */
import { Agent, type OpsCoreClient } from "../../client/index.js";
import { Ending } from "../../client/ending.js";
import { pause, type Scheduler } from "../../client/scheduler.js";

interface Part {
  readonly agentId: string;
  readonly capabilities: readonly string[];
  /** What it reports while it works, in turn. */
  readonly work: readonly string[];
  /** What goes wrong every other time, if anything. */
  readonly trouble?: { readonly reason: string; readonly message: string };
  /** Whether it crashes the second time, and comes back. */
  readonly crashes?: boolean;
}

const PARTS: readonly Part[] = [
  {
    agentId: "researcher",
    capabilities: ["search", "read"],
    work: ["looking for sources on tides", "reading the third source", "comparing two tables"],
  },
  {
    agentId: "writer",
    capabilities: ["write"],
    work: ["drafting the introduction", "writing about spring tides", "shortening a paragraph"],
    trouble: { reason: "RateLimited", message: "the model is overloaded" },
  },
  {
    agentId: "reviewer",
    capabilities: ["review"],
    work: ["checking figures", "checking quotations"],
    crashes: true,
  },
];

/** Short, so that a crash is seen soon. */
const LEASE_TTL_MS = 3000;
/** How long after one agent the next one comes. */
const ENTRANCE_MS = 1500;

/** Agents that work until they are told to stop. */
export class Crew {
  private readonly ending = new Ending();
  private readonly failure = new AbortController();
  private work: Promise<unknown> | undefined;

  constructor(
    private readonly client: OpsCoreClient,
    private readonly scheduler: Scheduler,
  ) {}

  /** Aborts when an agent could not be registered; the reason says why. */
  get failed(): AbortSignal {
    return this.failure.signal;
  }

  /** Harmless when they are at work already. */
  start(): void {
    this.work ??= Promise.all(PARTS.map((part, i) => this.play(part, i * ENTRANCE_MS))).catch((error: unknown) => {
      this.failure.abort(error);
    });
  }

  async stop(): Promise<void> {
    this.ending.end();
    await this.work;
  }

  private async play(part: Part, entranceMs: number): Promise<void> {
    await this.rest(entranceMs, entranceMs);
    while (!this.ending.hasEnded()) {
      const { agentId, capabilities } = part;
      const agent = await Agent.start({ client: this.client, agentId, capabilities, leaseTtlMs: LEASE_TTL_MS });
      try {
        await this.perform(agent, part);
      } finally {
        // No last report and no good-bye: what remains is a lease that runs out.
        await agent.stop({ timeoutMs: 100 });
      }
      await this.rest(2 * LEASE_TTL_MS, 3 * LEASE_TTL_MS);
    }
  }

  /** Works until the end, or until it crashes. */
  private async perform(agent: Agent, { work, trouble, crashes = false }: Part): Promise<void> {
    await this.rest(800, 1200);
    for (let round = 0; !this.ending.hasEnded(); round += 1) {
      void agent.idle({ message: "waiting for work" });
      await this.rest(1500, 3500);
      void agent.active({ message: work[round % work.length] ?? "" });
      await this.rest(2000, 5000);
      if (crashes && round === 1) return;
      if (trouble !== undefined && round % 2 === 0) {
        void agent.error(trouble);
        await this.rest(1500, 3000);
      }
    }
  }

  /** Milliseconds; ends at once when the crew is stopped. */
  private rest(fromMs: number, toMs: number): Promise<void> {
    return pause(this.scheduler, fromMs + this.scheduler.random() * (toMs - fromMs), this.ending);
  }
}
