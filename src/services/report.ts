import type { SetStateRequest } from "../../gen/opscore/v1/state_service_pb.js";
import type { SetState } from "../storage/storage.js";
import type { Caller } from "./caller.js";
import type { Limits } from "./limits.js";
import {
  count,
  duration,
  freeData,
  id,
  optionalId,
  reason,
  requestId,
  state,
  states,
  text,
  timestamp,
  Violations,
} from "./validation/index.js";

/**
 * A report as the storage takes it; the same whether it came alone or on a stream.
 *
 * @throws OpsCoreError INVALID_FIELD
 */
export function readReport(request: SetStateRequest, { namespace, actor }: Caller, limits: Limits): SetState {
  const bad = new Violations();
  const wait = request.waitForRegistration;
  const command: SetState = {
    namespace,
    actor,
    agentId: id(bad, "agent_id", request.agentId),
    state: state(bad, "state", request.state),
    reason: reason(bad, "reason", request.reason),
    message: text(bad, "message", request.message, limits.messageBytes),
    details: freeData(bad, "details", request.details, limits),
    sessionId: optionalId(bad, "session_id", request.sessionId),
    taskId: optionalId(bad, "task_id", request.taskId),
    incarnation: count(bad, "incarnation", request.incarnation),
    sequence: count(bad, "sequence", request.sequence),
    reportTime: timestamp(bad, "report_time", request.reportTime),
    discardIfOlder: request.discardIfOlder,
    expectedStates: states(bad, "expected_states", request.expectedStates),
    expectedRevision: count(bad, "expected_revision", request.expectedRevision),
    holdMs: duration(bad, "wait_for_registration", wait, 0, limits.maxHoldMs) ?? limits.defaultHoldMs,
    requestId: requestId(bad, "request_id", request.requestId),
  };
  if (command.discardIfOlder && command.reportTime === undefined)
    bad.add("report_time", "must be set with discard_if_older");
  bad.throwIfAny();
  return command;
}
