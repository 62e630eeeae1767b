import type { ServiceImpl } from "@connectrpc/connect";
import {
  StateEvent_Type,
  type GetStateHistoryResponse,
  type GetStateResponse,
  type SetStateResponse,
  type StateEvent,
  type StateService,
} from "../../gen/opscore/v1/state_service_pb.js";
import { agentNotFound } from "../errors/index.js";
import { chain } from "../lib/awaitable.js";
import { PushStream } from "../lib/push-source.js";
import { AgentChangeType, type StateRecord } from "../storage/records.js";
import type { HistoryPage, ReportOutcome } from "../storage/storage.js";
import { callerKey } from "./caller.js";
import type { ServiceDependencies } from "./dependencies.js";
import { invalidPageToken, pageToken, readPageToken, type Query } from "./paging.js";
import { feed, ReportStream } from "./report-stream.js";
import { readReport } from "./report.js";
import { count, id, pageSize, Violations } from "./validation/index.js";
import { toAgentState, toStateEvent } from "./wire/index.js";

/**
 * StateService but for its watch and its wait. See the proto file for what each method promises.
 *
 * @param openReports every stream of reports is in it as long as it takes reports
 */
export function createStateService(
  { storage, limits, onDefect }: ServiceDependencies,
  openReports: Set<ReportStream>,
): Omit<ServiceImpl<typeof StateService>, "watchState" | "waitForState"> {
  return {
    setState(request, ctx) {
      return chain(storage.setState(readReport(request, ctx.values.get(callerKey), limits)), toSetStateResponse);
    },

    getState(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const agentId = id(bad, "agent_id", request.agentId);
      bad.throwIfAny();
      return chain(storage.getState({ namespace, agentId }), (record): GetStateResponse => {
        if (record === undefined) throw agentNotFound(agentId);
        return { $typeName: "opscore.v1.GetStateResponse", state: toAgentState(record) };
      });
    },

    getStateHistory(request, ctx) {
      const { namespace } = ctx.values.get(callerKey);
      const bad = new Violations();
      const agentId = id(bad, "agent_id", request.agentId);
      const afterRevision = count(bad, "after_revision", request.afterRevision);
      const limit = pageSize(bad, "page_size", request.pageSize, limits);
      bad.throwIfAny();
      const query: Query = ["GetStateHistory", namespace, agentId, afterRevision];
      const from = readRevision(readPageToken(query, request.pageToken)) ?? afterRevision;
      return chain(
        storage.readHistory({ namespace, agentId, afterRevision: from, limit }),
        (page): GetStateHistoryResponse => {
          if (page === undefined) throw agentNotFound(agentId);
          return {
            $typeName: "opscore.v1.GetStateHistoryResponse",
            events: toHistory(page),
            nextPageToken: pageToken(query, page.more ? page.entries.at(-1)?.revision.toString() : undefined),
          };
        },
      );
    },

    reportStates(requests, ctx) {
      const caller = ctx.values.get(callerKey);
      const stream: ReportStream = new ReportStream({
        apply: (report) => chain(storage.setState(readReport(report, caller, limits)), toSetStateResponse),
        limits,
        onDefect,
        onEnd: () => openReports.delete(stream),
      });
      openReports.add(stream);
      feed(stream, requests);
      return new PushStream(stream, () => ctx.signal);
    },
  };
}

function toSetStateResponse({ state, changed }: ReportOutcome): SetStateResponse {
  return { $typeName: "opscore.v1.SetStateResponse", state: toAgentState(state), changed };
}

/** History is the chain of an agent's states: each entry's `previous` is the entry before it. */
function toHistory({ entries, before }: HistoryPage): StateEvent[] {
  let previous = before;
  return entries.map((entry) => {
    const event = toStateEvent(EVENT_TYPES[entry.cause], entry, isFirst(entry, previous) ? undefined : previous);
    previous = entry;
    return event;
  });
}

/** An agent that was removed and comes back begins anew, as its REGISTERED event on a watch says too. */
function isFirst(entry: StateRecord, previous: StateRecord | undefined): boolean {
  return entry.cause === AgentChangeType.REGISTERED && previous?.cause === AgentChangeType.DEREGISTERED;
}

const EVENT_TYPES: Readonly<Record<AgentChangeType, StateEvent_Type>> = {
  [AgentChangeType.REGISTERED]: StateEvent_Type.REGISTERED,
  [AgentChangeType.TRANSITION]: StateEvent_Type.TRANSITION,
  [AgentChangeType.LIVENESS]: StateEvent_Type.LIVENESS,
  [AgentChangeType.UPDATED]: StateEvent_Type.UPDATED,
  [AgentChangeType.DEREGISTERED]: StateEvent_Type.DEREGISTERED,
};

/** @throws OpsCoreError INVALID_PAGE_TOKEN */
function readRevision(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const revision = Number(cursor);
  if (!/^[0-9]+$/.test(cursor) || !Number.isSafeInteger(revision)) throw invalidPageToken();
  return revision;
}
