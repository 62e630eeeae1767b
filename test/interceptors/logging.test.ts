import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AgentService } from "../../gen/opscore/v1/agent_service_pb.js";
import { State, WatchKind } from "../../gen/opscore/v1/common_pb.js";
import { SessionService } from "../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { startServer, type LogLine, type TestServer } from "../helpers/server.js";

const INFO = 30;
const DEBUG = 20;

const operations = ({ logs }: TestServer): readonly LogLine[] => logs.filter((line) => "rpc" in line);

describe.each([
  ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl })],
  ["Connect", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
])("over %s", (_, transportFor) => {
  it("an operation is one line", async () => {
    const running = await startServer();
    const transport = transportFor(running.url);
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    await createClient(AgentService, transport).registerAgent({ agentId: "a" });
    await createClient(SessionService, transport)
      .startSession(
        { sessionId: "s", agentId: "a" },
        { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01`, "opscore-namespace": "n" } },
      )
      .catch(() => undefined);
    await createClient(StateService, transport).setState({ agentId: "a", state: State.IDLE, sessionId: "s" });
    await createClient(AgentService, transport).heartbeat({ agentId: "a" });
    expect(operations(running)).toMatchObject([
      { level: INFO, rpc: "opscore.v1.AgentService/RegisterAgent", namespace: "default", agentId: "a", code: "OK" },
      {
        level: INFO,
        rpc: "opscore.v1.SessionService/StartSession",
        namespace: "n",
        agentId: "a",
        sessionId: "s",
        code: "NOT_FOUND",
        reason: "AGENT_NOT_FOUND",
        traceId,
        msg: "agent a is not registered",
      },
      { level: INFO, rpc: "opscore.v1.StateService/SetState", agentId: "a", sessionId: "s", code: "OK" },
      { level: DEBUG, rpc: "opscore.v1.AgentService/Heartbeat", agentId: "a", code: "OK" },
    ]);
    for (const line of operations(running)) {
      expect(line["durationMs"]).toEqual(expect.any(Number));
      expect(line["traceId"]).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it("a stream is one line, at its end, with its counts", async () => {
    const running = await startServer();
    const transport = transportFor(running.url);
    const agents = createClient(AgentService, transport);
    await agents.registerAgent({ agentId: "a" });
    let received = 0;
    for await (const { kind } of createClient(StateService, transport).watchState({ agentIds: ["a"] })) {
      received += 1;
      if (kind === WatchKind.SYNCED) await agents.deregisterAgent({ agentId: "a" });
    }
    const lines = operations(running).filter(({ rpc }) => rpc === "opscore.v1.StateService/WatchState");
    expect(lines).toMatchObject([{ code: "OK", received: 1, sent: received }]);
  });

  it("nothing is prepared for a level that is off", async () => {
    const running = await startServer({ logLevel: "warn" });
    await createClient(AgentService, transportFor(running.url)).registerAgent({ agentId: "a" });
    expect(running.logs).toEqual([]);
  });
});
