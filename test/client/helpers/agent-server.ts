/** A server as one agent sees it, that a test can take away, make forget, or cut off after it has acted. */
import { createRouterTransport } from "@connectrpc/connect";
import {
  AgentService,
  type HeartbeatRequest,
  type RegisterAgentRequest,
} from "../../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { StateService, type SetStateRequest } from "../../../gen/opscore/v1/state_service_pb.js";
import { createOpsCoreClient, type OpsCoreClient } from "../../../src/client/index.js";
import { failure } from "./failures.js";
import { FakeScheduler } from "./fake-scheduler.js";

export class AgentServer {
  readonly scheduler = new FakeScheduler();
  readonly client: OpsCoreClient;
  /** Every call that came, in order: `register`, `heartbeat`, or the state of a report. */
  readonly calls: string[] = [];
  readonly registrations: RegisterAgentRequest[] = [];
  readonly heartbeats: HeartbeatRequest[] = [];
  /** Every report that came, also those that were not taken. */
  readonly attempts: SetStateRequest[] = [];
  /** Reports that were taken, in order, since the server last forgot. */
  taken: SetStateRequest[] = [];
  incarnation = 0n;
  /** What a call fails with before it does anything; one for each call, undefined for one that does not fail. */
  failures: (Error | undefined)[] = [];
  /** What every call fails with before it does anything. */
  away: Error | undefined;
  /** How many calls are done and then not answered. */
  loseAnswers = 0;
  private lastSequence = 0n;
  private readonly answers = new Map<string, object>();
  private watchers: (() => void)[] = [];

  constructor() {
    const transport = createRouterTransport(({ service }) => {
      service(AgentService, {
        registerAgent: (request) => {
          this.registrations.push(request);
          return this.act("register", () => this.repeatable(request.requestId, () => this.register(request)));
        },
        heartbeat: (request) => {
          this.heartbeats.push(request);
          return this.act("heartbeat", () => (this.check(request.incarnation), {}));
        },
        deregisterAgent: ({ incarnation }) =>
          this.act("deregister", () => {
            this.check(incarnation);
            this.forget();
            return {};
          }),
      });
      service(StateService, {
        setState: (request) => {
          this.attempts.push(request);
          return this.act(State[request.state], () => this.repeatable(request.requestId, () => this.report(request)));
        },
      });
    });
    this.client = createOpsCoreClient({
      baseUrl: "http://unused",
      transport,
      scheduler: this.scheduler,
      // What is tried again here is tried again by the agent.
      retry: { maxAttempts: 1 },
    });
  }

  /** Loses everything, as a server does that keeps all in memory and is restarted. */
  forget(): void {
    this.incarnation = 0n;
    this.lastSequence = 0n;
    this.taken = [];
    this.answers.clear();
  }

  /** Forgets which requests it answered how, as every server does after a while. */
  forgetRequests(): void {
    this.answers.clear();
  }

  /** What the agent said, in the order in which it was taken. */
  get states(): readonly string[] {
    return this.taken.map(({ state }) => State[state]);
  }

  /** Resolves when so many calls have come in all. */
  async called(count: number): Promise<void> {
    while (this.calls.length < count) await new Promise<void>((resolve) => this.watchers.push(resolve));
  }

  private act<T>(call: string, action: () => T): T {
    this.calls.push(call);
    for (const watcher of this.watchers.splice(0)) watcher();
    const failing = this.away ?? this.failures.shift();
    if (failing !== undefined) throw failing;
    const answer = action();
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      throw failure("STORAGE_UNAVAILABLE");
    }
    return answer;
  }

  private repeatable(requestId: string, action: () => object): object {
    const answer = this.answers.get(requestId) ?? action();
    this.answers.set(requestId, answer);
    return answer;
  }

  private register({ agentId }: RegisterAgentRequest): object {
    this.incarnation += 1n;
    this.lastSequence = 0n;
    return { agent: { agentId: agentId === "" ? "made-by-the-server" : agentId, incarnation: this.incarnation } };
  }

  private report(request: SetStateRequest): object {
    this.check(request.incarnation);
    if (request.sequence <= this.lastSequence) throw failure("STALE_SEQUENCE");
    this.lastSequence = request.sequence;
    this.taken.push(request);
    return {};
  }

  private check(incarnation: bigint): void {
    if (this.incarnation === 0n) throw failure("AGENT_NOT_FOUND");
    if (incarnation < this.incarnation) throw failure("STALE_INCARNATION");
    if (incarnation > this.incarnation) throw failure("UNKNOWN_INCARNATION");
  }
}
