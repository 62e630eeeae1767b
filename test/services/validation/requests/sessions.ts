/** The requests of SessionService. */
import * as sessionService from "../../../../gen/opscore/v1/session_service_pb.js";
import {
  badCounts,
  badData,
  badIdLists,
  badIds,
  badMasks,
  badPageSizes,
  badProgress,
  badRequestIds,
  first,
  type Methods,
} from "./method.js";

export const SESSION_METHODS: Methods = {
  StartSession: {
    schema: sessionService.StartSessionRequestSchema,
    call: (h, request) => h.sessions.startSession(request),
    base: { agentId: "a" },
    bad: {
      session_id: badIds("sessionId", "session_id"),
      agent_id: [[{ agentId: "" }, "agent_id"], ...badIds("agentId", "agent_id")],
      workflow_id: badIds("workflowId", "workflow_id"),
      metadata: badData("metadata", "metadata"),
      request_id: badRequestIds,
    },
  },
  GetSession: {
    schema: sessionService.GetSessionRequestSchema,
    call: (h, request) => h.sessions.getSession(request),
    base: { sessionId: "s" },
    bad: { session_id: [[{ sessionId: "" }, "session_id"], ...badIds("sessionId", "session_id")] },
  },
  UpdateSession: {
    schema: sessionService.UpdateSessionRequestSchema,
    call: (h, request) => h.sessions.updateSession(request),
    base: { session: { sessionId: "s", error: "e" } },
    bad: {
      session: [
        [{ session: { sessionId: "" } }, "session.session_id"],
        [{ session: undefined }, "session"],
        [{ session: { sessionId: "s", status: 7 } }, "session.status"],
        [{ session: { sessionId: "s" }, updateMask: { paths: ["status"] } }, "session.status"],
        [{ session: { sessionId: "s", error: "x".repeat(1_025) } }, "session.error"],
        ...[...badData("metadata", "session.metadata"), ...badData("result", "session.result")].map(
          ([session, path]) => [{ session: { sessionId: "s", ...session } }, path] as const,
        ),
      ],
      update_mask: badMasks("error"),
      expected_revision: badCounts("expectedRevision", "expected_revision"),
      request_id: badRequestIds,
    },
  },
  WatchSessions: {
    schema: sessionService.WatchSessionsRequestSchema,
    call: (h, request) => first(h.sessions.watchSessions(request)),
    base: {},
    harmless: ["include_snapshot", "resume_token"],
    bad: {
      session_ids: badIdLists("sessionIds", "session_ids"),
      agent_ids: badIdLists("agentIds", "agent_ids"),
      statuses: [[{ statuses: [0, 1, 7] }, "statuses[0]", "statuses[2]"]],
      progress_interval: badProgress,
    },
  },
  ListSessions: {
    schema: sessionService.ListSessionsRequestSchema,
    call: (h, request) => h.sessions.listSessions(request),
    base: {},
    harmless: ["page_token"],
    bad: {
      agent_id: badIds("agentId", "agent_id"),
      workflow_id: badIds("workflowId", "workflow_id"),
      statuses: [
        [{ statuses: [0] }, "statuses[0]"],
        [{ statuses: [1, 7] }, "statuses[1]"],
      ],
      page_size: badPageSizes,
    },
  },
};
