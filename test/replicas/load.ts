/** A load of commits that remembers what was acknowledged. */
import { Code, ConnectError, createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State, type AgentState } from "../../gen/opscore/v1/common_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";

/** How often commits go out, in milliseconds. */
const TICK_MS = 10;

export interface Clients {
  readonly agents: Client<typeof AgentService>;
  readonly states: Client<typeof StateService>;
}

export function clientsOf(url: string): Clients {
  const transport = createGrpcTransport({ baseUrl: url });
  return { agents: createClient(AgentService, transport), states: createClient(StateService, transport) };
}

/** The agents of a load, registered through `clients`. */
export async function registerAgents({ agents }: Clients, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, i) => `agent-${i}`);
  await Promise.all(ids.map((agentId) => agents.registerAgent({ agentId })));
  return ids;
}

/** Commits changes of some agents in turn, each with a message of its own. */
export class Load {
  /** What the server has answered as committed: the message, and where it is in the log. */
  readonly acknowledged = new Map<string, AgentState>();
  /** How many calls failed because there was nobody, or no storage, to answer them. */
  refused = 0;
  private sent = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly onWay = new Set<Promise<void>>();
  private waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  private failure: Error | undefined;

  constructor(
    private readonly agentIds: readonly string[],
    private readonly states: () => Client<typeof StateService>,
  ) {}

  /** Commits `perSecond` changes a second from now on; fewer when too many of them are not answered. */
  start(perSecond: number): void {
    const atOnce = Math.round((perSecond * TICK_MS) / 1000);
    this.timer = setInterval(() => {
      for (let i = 0; i < atOnce && this.onWay.size < perSecond; i += 1) this.commit();
    }, TICK_MS);
  }

  /** Commits one more. */
  commit(): void {
    const index = this.sent;
    this.sent += 1;
    const agentId = this.agentIds[index % this.agentIds.length] ?? "";
    // Each is another state than the agent's one before, if it arrives in order.
    const state = Math.floor(index / this.agentIds.length) % 2 === 0 ? State.IDLE : State.ACTIVE;
    const message = `change ${index}`;
    const call = this.states()
      .setState({ agentId, state, message })
      .then(
        (response) => {
          if (response.state?.message !== message) throw new Error(`${message} was answered with another`);
          this.acknowledged.set(message, response.state);
        },
        (thrown: unknown) => {
          if (!isAway(thrown)) throw thrown;
          this.refused += 1;
        },
      )
      .catch((thrown: unknown) => {
        this.failure ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      })
      .then(() => {
        this.onWay.delete(call);
        this.look();
      });
    this.onWay.add(call);
  }

  /** Answers when so many were acknowledged. */
  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ count, resolve });
      this.look();
    });
  }

  /** Commits nothing more, and answers when everything was answered. @throws what no call may fail with */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.onWay);
    if (this.failure !== undefined) throw this.failure;
  }

  private look(): void {
    const there = this.failure === undefined ? this.acknowledged.size : Infinity;
    for (const { count, resolve } of this.waiting) if (there >= count) resolve();
    this.waiting = this.waiting.filter(({ count }) => there < count);
  }
}

/** A connection that broke, or a storage that is away. */
const AWAY: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Aborted, Code.Canceled, Code.DeadlineExceeded]);

function isAway(thrown: unknown): boolean {
  if (!(thrown instanceof ConnectError)) return false;
  // What a server refuses while it stops has not happened; Connect calls it INTERNAL all the same.
  return AWAY.has(thrown.code) || thrown.message.includes("REFUSED_STREAM");
}

/** The whole history of an agent, oldest first. */
export async function historyOf({ states }: Clients, agentId: string): Promise<readonly AgentState[]> {
  const history: AgentState[] = [];
  let pageToken = "";
  do {
    const page = await states.getStateHistory({ agentId, pageToken, pageSize: 1000 });
    for (const { state } of page.events) if (state !== undefined) history.push(state);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return history;
}
