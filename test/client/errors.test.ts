import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { AgentStateSchema, State } from "../../gen/opscore/v1/common_pb.js";
import { createOpsCoreClient } from "../../src/client/index.js";
import {
  errorMetadata,
  errorReason,
  fieldViolations,
  lastKnownState,
  retryAfterMs,
  waitTimedOut,
} from "../../src/client/errors.js";
import { REASONS, type Reason } from "../../src/errors/index.js";
import { startServer } from "../helpers/server.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";

const REASON_NAMES = Object.keys(REASONS) as Reason[];

test.each(REASON_NAMES)("%s is read from a failure's details", (reason) => {
  expect(errorReason(failure(reason))).toBe(reason);
});

test("what goes with a reason", () => {
  const error = failure("ILLEGAL_TRANSITION", { metadata: { from: "FINISHED", to: "IDLE" } });
  expect(errorMetadata(error)).toEqual({ from: "FINISHED", to: "IDLE" });
  expect(retryAfterMs(error)).toBeUndefined();
  expect(retryAfterMs(failure("TOO_MANY", { retryAfterMs: 1_250 }))).toBe(1_250);
});

test("every field that is bad", () => {
  const violations = [
    { field: "agent_id", description: "must not be empty" },
    { field: 'labels["x y"]', description: "must not hold blanks" },
  ];
  expect(fieldViolations(failure("INVALID_FIELD", { violations }))).toEqual(violations);
});

test("a wait that the client itself gives up looks like one that the server gave up", () => {
  const state = create(AgentStateSchema, { agentId: "a", state: State.ACTIVE, revision: 7n });
  const error = waitTimedOut("a", state);
  expect(error.code).toBe(Code.DeadlineExceeded);
  expect(errorReason(error)).toBe("WAIT_TIMED_OUT");
  expect(errorMetadata(error)).toEqual({ agent_id: "a" });
  expect(lastKnownState(error)).toMatchObject({ state: State.ACTIVE, revision: 7n });
  expect(lastKnownState(waitTimedOut("a", undefined))).toBeUndefined();
});

test.each([
  ["a proxy's failure", foreignFailure(Code.Unavailable)],
  ["a reason of somebody else", withInfo("NO_SUCH_BUCKET", "storage.example.com")],
  ["a reason that is newer than this client", withInfo("FROM_THE_FUTURE", "opscore")],
  ["a name that every object has", withInfo("toString", "opscore")],
  ["another error", new Error("no")],
  ["no error at all", undefined],
])("%s has no reason", (_, error) => {
  expect(errorReason(error)).toBeUndefined();
  expect(fieldViolations(error)).toEqual([]);
  expect(retryAfterMs(error)).toBeUndefined();
  expect(lastKnownState(error)).toBeUndefined();
});

test("a time in the past to come back is now", () => {
  expect(retryAfterMs(failure("TOO_MANY", { retryAfterMs: -5 }))).toBe(0);
  expect(durationFromMs(-5).nanos).toBeLessThan(0);
});

function withInfo(reason: string, domain: string): ConnectError {
  return new ConnectError("no", Code.NotFound, undefined, [{ desc: ErrorInfoSchema, value: { reason, domain } }]);
}

test.each([
  ["grpc", "2"],
  ["connect", "2"],
  ["connect", "1.1"],
  ["grpc-web", "2"],
  ["grpc-web", "1.1"],
] as const)("a real server's failures over %s, HTTP/%s", async (transport, httpVersion) => {
  const { url } = await startServer({ apiKey: "sesame" });
  await using client = createOpsCoreClient({ baseUrl: url, transport, httpVersion, apiKey: "sesame" });
  await using stranger = createOpsCoreClient({ baseUrl: url, transport, httpVersion });

  const missing = await rejection(client.agents.getAgent({ agentId: "nobody" }));
  expect(missing.code).toBe(Code.NotFound);
  expect(errorReason(missing)).toBe("AGENT_NOT_FOUND");
  expect(errorMetadata(missing)).toEqual({ agent_id: "nobody" });

  const invalid = await rejection(client.states.setState({ agentId: "a b", state: 99 as State }));
  expect(errorReason(invalid)).toBe("INVALID_FIELD");
  expect(fieldViolations(invalid).map(({ field }) => field)).toEqual(["agent_id", "state"]);

  expect(errorReason(await rejection(stranger.agents.getAgent({ agentId: "a" })))).toBe("CREDENTIALS_MISSING");

  await client.agents.registerAgent({ agentId: "a", initialState: State.ACTIVE });
  const late = await rejection(
    client.states.waitForState({ agentId: "a", states: [State.IDLE], timeout: durationFromMs(1) }),
  );
  expect(late.code).toBe(Code.DeadlineExceeded);
  expect(errorReason(late)).toBe("WAIT_TIMED_OUT");
  expect(lastKnownState(late)).toMatchObject({ agentId: "a", state: State.ACTIVE });
});
