/** The requests of StateService. */
import * as stateService from "../../../../gen/opscore/v1/state_service_pb.js";
import {
  badCounts,
  badData,
  badIdLists,
  badIds,
  badPageSizes,
  badProgress,
  badRequestIds,
  first,
  type Methods,
} from "./method.js";

export const STATE_METHODS: Methods = {
  SetState: {
    schema: stateService.SetStateRequestSchema,
    call: (h, request) => h.states.setState(request),
    base: { agentId: "a", state: 3 },
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      state: [0, 7, -1].map((state) => [{ state }, "state"] as const),
      reason: ["lower", "Two Words", "Snake_Case", "1st", "X".repeat(65)].map(
        (r) => [{ reason: r }, "reason"] as const,
      ),
      message: [
        [{ message: "x".repeat(1_025) }, "message"],
        [{ message: "€".repeat(342) }, "message"],
      ],
      details: badData("details", "details"),
      session_id: badIds("sessionId", "session_id"),
      task_id: badIds("taskId", "task_id"),
      incarnation: badCounts("incarnation", "incarnation"),
      sequence: badCounts("sequence", "sequence"),
      report_time: [
        { seconds: -62_135_596_801n },
        { seconds: 253_402_300_800n },
        { nanos: -1 },
        { nanos: 1_000_000_000 },
      ].map((reportTime) => [{ reportTime }, "report_time"] as const),
      discard_if_older: [[{ discardIfOlder: true }, "report_time"]],
      expected_states: [
        [{ expectedStates: [0] }, "expected_states[0]"],
        [{ expectedStates: [1, 99] }, "expected_states[1]"],
      ],
      expected_revision: badCounts("expectedRevision", "expected_revision"),
      wait_for_registration: [{ seconds: -1n }, { nanos: -1 }, { seconds: 60n, nanos: 1 }].map(
        (waitForRegistration) => [{ waitForRegistration }, "wait_for_registration"] as const,
      ),
      request_id: badRequestIds,
    },
  },
  WatchState: {
    schema: stateService.WatchStateRequestSchema,
    call: (h, request) => first(h.states.watchState(request)),
    base: {},
    harmless: ["include_snapshot", "resume_token"],
    bad: {
      agent_ids: badIdLists("agentIds", "agent_ids"),
      label_selector: [[{ labelSelector: "a=b=c" }, "label_selector"]],
      capabilities: [[{ capabilities: ["", "x"] }, "capabilities[0]"]],
      states: [[{ states: [3, 0, 7] }, "states[1]", "states[2]"]],
      progress_interval: badProgress,
    },
  },
  WaitForState: {
    schema: stateService.WaitForStateRequestSchema,
    call: (h, request) => h.states.waitForState(request),
    base: { agentId: "a", states: [1] },
    harmless: ["fail_on_lost"],
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      states: [
        [{ states: [] }, "states"],
        [{ states: [1, 0] }, "states[1]"],
      ],
      fail_states: [[{ failStates: [99] }, "fail_states[0]"]],
      after_revision: badCounts("afterRevision", "after_revision"),
      timeout: [{ seconds: -1n }, { nanos: -1 }].map((timeout) => [{ timeout }, "timeout"] as const),
    },
  },
  GetState: {
    schema: stateService.GetStateRequestSchema,
    call: (h, request) => h.states.getState(request),
    base: { agentId: "a" },
    bad: { agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")] },
  },
  GetStateHistory: {
    schema: stateService.GetStateHistoryRequestSchema,
    call: (h, request) => h.states.getStateHistory(request),
    base: { agentId: "a" },
    harmless: ["page_token"],
    bad: {
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      after_revision: badCounts("afterRevision", "after_revision"),
      page_size: badPageSizes,
    },
  },
};
