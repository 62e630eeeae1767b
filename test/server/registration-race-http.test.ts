/**
 * The same race over the HTTP API: AgentKit answers an agent's registration, and its notification of that travels for a while, once,
 * while the agent reports already.
 */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { startServer } from "../helpers/server.js";
import {
  aNotification,
  aReport,
  NOTIFY,
  send,
  signed,
  stateOf,
  statePath,
  type Answer,
} from "../transport/http/harness.js";

const SECRET = "whsec";
const AGENTS = Array.from({ length: 40 }, (_, i) => `agent-${i}`);

/** As far as agents and Ops-Core see it: a registration is answered at once, and told later, once. */
class AgentKit {
  readonly told: Promise<Answer>[] = [];

  constructor(
    private readonly url: string,
    private readonly delayMs: number,
  ) {}

  register(agentId: string): void {
    const notification = new Promise<Answer>((resolve, reject) => {
      const tell = (): void => {
        const body = JSON.stringify(aNotification(agentId, { metadata: null, registrationTime: Date.now() / 1000 }));
        const headers = signed(SECRET, String(Date.now() / 1000), body);
        send(this.url, NOTIFY, { body, headers }).then(resolve, reject);
      };
      setTimeout(tell, this.delayMs);
    });
    this.told.push(notification);
  }
}

describe("40 agents that report idle right after AgentKit has answered them", () => {
  // The delay is what happens to the agents, not what the test waits for.
  it.each([0, 20, 50, 200])("all end idle when it tells of them %i ms later", async (delayMs) => {
    const { url } = await startServer({ logLevel: "warn", webhookSecret: SECRET });
    const agentKit = new AgentKit(url, delayMs);

    const reports = AGENTS.map((agentId) => {
      agentKit.register(agentId);
      const body = aReport(agentId, "idle", { timestamp: new Date().toISOString(), details: {} });
      return send(url, statePath(agentId), { body });
    });
    for (const { status, text } of await Promise.all(reports)) {
      expect([status, text]).toEqual([202, '{"status":"success","message":"State update accepted"}']);
    }
    for (const { status } of await Promise.all(agentKit.told)) expect(status).toBe(200);

    const states = createClient(StateService, createGrpcTransport({ baseUrl: url }));
    for (const agentId of AGENTS) {
      expect(await stateOf(url, agentId)).toMatchObject({ state: "idle", details: {} });
      const { events } = await states.getStateHistory({ agentId });
      expect(events.map(({ type, state }) => [type, state?.state])).toEqual([
        [StateEvent_Type.REGISTERED, State.UNKNOWN],
        [StateEvent_Type.TRANSITION, State.IDLE],
      ]);
    }
  });
});
