/**
 * A simulated AgentKit with its agents, which behave as /run and the notification are described: the notification is sent once and
 * signed, /run answers 202 before the message is delivered, and the agents speak plain HTTP in their several ways.
 */
import { createHmac } from "node:crypto";
import { HttpPeer, type PeerAnswer, type PeerRequest } from "./http-peer.js";

/** How an agent reports what it does. */
export type AgentHabit =
  /** ACTIVE before and IDLE after its work, both with the task's id. */
  | "plain"
  /** The same with `details: {}`. */
  | "anonymous"
  /** Nothing before its work; ACTIVE and IDLE at once after it, with `details: {}`. */
  | "late"
  /** Each report twice, as a client does that lost the answer. */
  | "twice"
  /** Its first IDLE is on its way before AgentKit has announced it. */
  | "early";

export const HABITS: readonly AgentHabit[] = ["plain", "anonymous", "late", "twice", "early"];

interface RunMessage {
  readonly payload: unknown;
  readonly opscore_session_id: string;
  readonly opscore_task_id: string;
}

export class SimulatedAgentKit {
  readonly messages: { readonly agentId: string; readonly message: RunMessage }[] = [];
  readonly failures: unknown[] = [];
  private readonly agents = new Map<string, AgentHabit>();
  private opsCoreUrl = "";

  private constructor(
    private readonly peer: HttpPeer,
    private readonly secret: string,
  ) {}

  static async start(secret: string): Promise<SimulatedAgentKit> {
    const peer = await HttpPeer.start((request) => kit.answer(request));
    const kit = new SimulatedAgentKit(peer, secret);
    return kit;
  }

  get url(): string {
    return this.peer.url;
  }

  close(): Promise<void> {
    return this.peer.close();
  }

  connect(opsCoreUrl: string): void {
    this.opsCoreUrl = opsCoreUrl;
  }

  /** An agent registers here; AgentKit announces it. Answers when the agent's first IDLE was taken. */
  async register(agentId: string, habit: AgentHabit): Promise<void> {
    this.agents.set(agentId, habit);
    const early = habit === "early" ? this.report(agentId, "idle", {}) : undefined;
    await this.notify(agentId);
    await (early ?? this.report(agentId, "idle", {}));
  }

  private answer({ method, path, body }: PeerRequest): PeerAnswer {
    const agentId = /^\/agents\/([^/]+)\/run$/.exec(path)?.[1];
    if (method !== "POST" || agentId === undefined || !this.agents.has(agentId)) {
      return { status: 404, body: { detail: "Agent not found" } };
    }
    const message = JSON.parse(body) as RunMessage;
    this.messages.push({ agentId, message });
    // The answer goes out first; delivery is another matter.
    setImmediate(() => {
      this.work(agentId, message).catch((thrown: unknown) => this.failures.push(thrown));
    });
    return { status: 202, body: { data: { dispatch_status: "scheduled" } } };
  }

  private async work(agentId: string, { opscore_task_id: taskId }: RunMessage): Promise<void> {
    const habit = this.agents.get(agentId) ?? "plain";
    const details = habit === "anonymous" || habit === "late" ? {} : { opscore_task_id: taskId };
    for (const state of ["active", "idle"]) await this.report(agentId, state, details, habit === "twice" ? 2 : 1);
  }

  private async notify(agentId: string): Promise<void> {
    const body = JSON.stringify({
      event_type: "REGISTER",
      agent_details: {
        agentId,
        agentName: `Agent ${agentId}`,
        version: "1.0",
        contactEndpoint: "http://127.0.0.1:9/",
        capabilities: ["work"],
        metadata: null,
        registrationTime: new Date().toISOString(),
      },
    });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = createHmac("sha256", this.secret).update(`${timestamp}.${body}`).digest("hex");
    await this.call("/v1/opscore/internal/agent/notify", body, 200, {
      "x-agentkit-timestamp": timestamp,
      "x-agentkit-signature": signature,
    });
  }

  private async report(agentId: string, state: string, details: object, times = 1): Promise<void> {
    const body = JSON.stringify({ agentId, timestamp: new Date().toISOString(), state, details });
    for (let time = 0; time < times; time += 1) await this.call(`/v1/opscore/agent/${agentId}/state`, body, 202);
  }

  private async call(
    path: string,
    body: string,
    expected: number,
    headers: Record<string, string> = {},
  ): Promise<void> {
    const response = await fetch(this.opsCoreUrl + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    const text = await response.text();
    if (response.status !== expected) throw new Error(`${path} answered ${response.status}: ${text}`);
  }
}
