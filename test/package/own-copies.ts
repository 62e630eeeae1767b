/**
 * A program with a copy of Connect of its own, beside that inside the package; it is run where the package is installed. What one copy
 * makes the other has to take: transports, failures. protobuf-es is one for both, so messages and schemas are the same.
 */
import assert from "node:assert/strict";
import { create, fromBinary, isMessage, toBinary, toJsonString } from "@bufbuild/protobuf";
import { timestampNow, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError as OwnConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ConnectError, createOpsCoreClient, errorReason, State } from "ops-core";
import { ErrorInfoSchema } from "ops-core/gen/google/rpc/error_details_pb";
import { AgentService } from "ops-core/gen/opscore/v1/agent_service_pb";
import { SetStateRequestSchema } from "ops-core/gen/opscore/v1/state_service_pb";

const [, , baseUrl = ""] = process.argv;
const sessions = new Http2SessionManager(baseUrl);
const transport = createGrpcTransport({ baseUrl, sessionManager: sessions });
const own = createClient(AgentService, transport);
const client = createOpsCoreClient({ baseUrl });
const clientOfOwn = createOpsCoreClient({ baseUrl, transport });
assert.notEqual(ConnectError, OwnConnectError, "there are two copies");

await own.registerAgent({ agentId: "two-copies" });
const request = create(SetStateRequestSchema, {
  agentId: "two-copies",
  state: State.ACTIVE,
  details: { by: "program" },
});
request.reportTime = timestampNow();
const { state } = await client.states.setState(
  fromBinary(SetStateRequestSchema, toBinary(SetStateRequestSchema, request)),
);
assert.equal(state?.state, State.ACTIVE);
assert.deepEqual(state.details, { by: "program" });
assert.ok(isMessage(state.reportTime, TimestampSchema));
assert.deepEqual(state.reportTime, request.reportTime);
assert.ok(toJsonString(SetStateRequestSchema, request).includes("STATE_ACTIVE"));

const nobody = { agentId: "nobody" };
for (const error of [
  await failure(own.getAgent(nobody)),
  await failure(client.agents.getAgent(nobody)),
  await failure(clientOfOwn.agents.getAgent(nobody)),
]) {
  assert.ok(error instanceof ConnectError);
  assert.ok(error instanceof OwnConnectError);
  assert.equal(error.code, Code.NotFound);
  assert.equal(errorReason(error), "AGENT_NOT_FOUND");
  assert.equal(error.findDetails(ErrorInfoSchema)[0]?.metadata["agent_id"], "nobody");
}

for await (const item of clientOfOwn.watchState({ agentIds: [request.agentId] })) {
  assert.ok(item.type === "snapshot");
  assert.deepEqual(item.state, state);
  break;
}
client.close();
clientOfOwn.close();
sessions.abort();
console.log("both copies agree");

function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error,
  );
}
