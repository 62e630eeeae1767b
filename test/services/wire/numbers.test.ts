/** The domain's own enumerations have the numbers of the wire, so that mapping one to the other is no work. */
import type { DescEnum } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { LivenessSchema, StateSchema, WatchKindSchema } from "../../../gen/opscore/v1/common_pb.js";
import { SessionEvent_TypeSchema, SessionStatusSchema } from "../../../gen/opscore/v1/session_service_pb.js";
import { StateEvent_TypeSchema, WaitOutcomeSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import { AgentChangeType, Liveness, SessionChangeType, SessionStatus, State } from "../../../src/storage/records.js";
import { BatchKind } from "../../../src/watch/batch.js";
import { EXITED } from "../../../src/watch/filters.js";
import { WaitOutcome } from "../../../src/watch/wait.js";

function membersOf(schema: DescEnum): Record<string, number> {
  return Object.fromEntries(
    schema.values.filter(({ number }) => number !== 0).map(({ localName, number }) => [localName, number]),
  );
}

describe("the domain's enumerations are those of the wire", () => {
  test.each<[string, DescEnum, Readonly<Record<string, number>>]>([
    ["State", StateSchema, State],
    ["Liveness", LivenessSchema, Liveness],
    ["SessionStatus", SessionStatusSchema, SessionStatus],
    ["StateEvent.Type", StateEvent_TypeSchema, { ...AgentChangeType, EXITED }],
    ["SessionEvent.Type", SessionEvent_TypeSchema, SessionChangeType],
    ["WatchKind", WatchKindSchema, BatchKind],
    ["WaitOutcome", WaitOutcomeSchema, WaitOutcome],
  ])("%s", (_name, schema, members) => {
    expect(members).toEqual(membersOf(schema));
  });
});
