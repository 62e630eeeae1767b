import type { ServiceImpl } from "@connectrpc/connect";
import {
  SessionStatus,
  type GetSessionResponse,
  type ListSessionsRequest,
  type ListSessionsResponse,
  type Session,
  type SessionService,
  type StartSessionResponse,
  type UpdateSessionRequest,
  type UpdateSessionResponse,
} from "../../gen/opscore/v1/session_service_pb.js";
import { invalidFields, sessionNotFound } from "../errors/index.js";
import { chain } from "../lib/awaitable.js";
import type { ListSessions, StartSession, UpdateSession } from "../storage/storage.js";
import { callerKey, type Caller } from "./caller.js";
import type { ServiceDependencies } from "./dependencies.js";
import type { Limits } from "./limits.js";
import { pageToken, readPageToken, type Query } from "./paging.js";
import {
  count,
  freeData,
  id,
  optionalId,
  pageSize,
  patch,
  requestId,
  sessionStatus,
  sessionStatuses,
  text,
  Violations,
  type MaskedFields,
} from "./validation/index.js";
import { toSession } from "./wire/index.js";

/** What the mask of an update may name. */
const UPDATABLE: MaskedFields<Session, UpdateSession["patch"]> = {
  status: {
    isSet: (message) => message.status !== SessionStatus.UNSPECIFIED,
    // A status cannot be cleared, so a mask that names it wants one.
    read: (bad, field, message) => ({ status: sessionStatus(bad, field, message.status) }),
  },
  metadata: {
    isSet: (message) => message.metadata !== undefined,
    read: (bad, field, message, limits) => ({ metadata: freeData(bad, field, message.metadata, limits) }),
  },
  result: {
    isSet: (message) => message.result !== undefined,
    read: (bad, field, message, limits) => ({ result: freeData(bad, field, message.result, limits) }),
  },
  error: {
    isSet: (message) => message.error !== "",
    read: (bad, field, message, limits) => ({ error: text(bad, field, message.error, limits.messageBytes) }),
  },
};

/** SessionService but for its watch. See the proto file for what each method promises. */
export function createSessionService({
  storage,
  limits,
  makeId,
}: ServiceDependencies): Omit<ServiceImpl<typeof SessionService>, "watchSessions"> {
  return {
    startSession(request, ctx) {
      const { namespace, actor } = ctx.values.get(callerKey);
      const bad = new Violations();
      const request_id = requestId(bad, "request_id", request.requestId);
      const command: StartSession = {
        namespace,
        actor,
        sessionId: optionalId(bad, "session_id", request.sessionId) || makeId("session", namespace, request_id),
        agentId: id(bad, "agent_id", request.agentId),
        workflowId: optionalId(bad, "workflow_id", request.workflowId),
        metadata: freeData(bad, "metadata", request.metadata, limits),
        tasks: [],
        requestId: request_id,
      };
      bad.throwIfAny();
      return chain(storage.startSession(command), (session): StartSessionResponse => ({
        $typeName: "opscore.v1.StartSessionResponse",
        session: toSession(session),
      }));
    },

    getSession(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const sessionId = id(bad, "session_id", request.sessionId);
      bad.throwIfAny();
      return chain(storage.getSession({ namespace, sessionId }), (session): GetSessionResponse => {
        if (session === undefined) throw sessionNotFound(sessionId);
        return { $typeName: "opscore.v1.GetSessionResponse", session: toSession(session) };
      });
    },

    updateSession(request, ctx) {
      return chain(
        storage.updateSession(readUpdate(request, ctx.values.get(callerKey), limits)),
        (session): UpdateSessionResponse => ({
          $typeName: "opscore.v1.UpdateSessionResponse",
          session: toSession(session),
        }),
      );
    },

    listSessions(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const { query, fingerprinted } = readListing(request, namespace, limits);
      return chain(storage.listSessions(query), ({ items, next }): ListSessionsResponse => ({
        $typeName: "opscore.v1.ListSessionsResponse",
        sessions: items.map(toSession),
        nextPageToken: pageToken(fingerprinted, next),
      }));
    },
  };
}

function readUpdate(request: UpdateSessionRequest, { namespace, actor }: Caller, limits: Limits): UpdateSession {
  if (request.session === undefined) throw invalidFields([{ field: "session", description: "must be set" }]);
  const bad = new Violations();
  const command: UpdateSession = {
    namespace,
    actor,
    sessionId: id(bad, "session.session_id", request.session.sessionId),
    patch: patch(bad, "session.", UPDATABLE, request.session, request.updateMask, limits),
    expectedRevision: count(bad, "expected_revision", request.expectedRevision),
    requestId: requestId(bad, "request_id", request.requestId),
  };
  bad.throwIfAny();
  return command;
}

function readListing(
  request: ListSessionsRequest,
  namespace: string,
  limits: Limits,
): { readonly query: ListSessions; readonly fingerprinted: Query } {
  const bad = new Violations();
  const filter = {
    agentId: optionalId(bad, "agent_id", request.agentId),
    workflowId: optionalId(bad, "workflow_id", request.workflowId),
    statuses: sessionStatuses(bad, "statuses", request.statuses),
  };
  const limit = pageSize(bad, "page_size", request.pageSize, limits);
  bad.throwIfAny();
  const fingerprinted: Query = [
    "ListSessions",
    namespace,
    filter.agentId,
    filter.workflowId,
    [...filter.statuses].sort(),
  ];
  const cursor = readPageToken(fingerprinted, request.pageToken);
  return { query: { namespace, ...filter, limit, cursor }, fingerprinted };
}
