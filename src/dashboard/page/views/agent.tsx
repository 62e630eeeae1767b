import { durationMs } from "@bufbuild/protobuf/wkt";
import { useMemo } from "preact/hooks";
import type { Agent, AgentState } from "../../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent } from "../../../../gen/opscore/v1/state_service_pb.js";
import { enumName } from "../../../lib/enum-name.js";
import { formatAge, formatTime } from "../../../lib/time-text.js";
import { watchAgent } from "../live/agent-events.js";
import { useLive, useNow } from "../live/use-live.js";
import { LivenessBadge, StateBadge } from "../parts/badge.js";
import { Field, Fields, Json, Moment, Words } from "../parts/fields.js";
import { LongTable } from "../parts/long-table.js";
import { Note, saysSomething } from "../parts/note.js";
import { Failure } from "../parts/notice.js";
import { Page } from "../parts/page.js";
import { useServer } from "../server.js";

/** One agent: who it is, what it is doing, and what it has done. */
export function AgentView({ agentId }: { readonly agentId: string }) {
  const { client } = useServer();
  const watched = useMemo(() => watchAgent(client, agentId), [client, agentId]);
  const table = useLive(() => watched.events, [watched]);
  const { rows, readFailure } = table;
  const agent = watched.agent();
  return (
    <Page title={agentId} condition={table.condition}>
      {readFailure !== undefined && <Failure what="Its history cannot be read" error={readFailure} />}
      <AgentNow agent={agent} last={rows[0]} />
      <h2>What happened</h2>
      <LongTable
        head={["Time", "Event", "State", "Note", "By"]}
        rows={rows}
        row={(event) => <EventLine key={event.state?.revision} event={event} />}
        empty={table.isComplete && emptyWords(agent)}
      />
    </Page>
  );
}

/** @param last what happened to it last */
function AgentNow({ agent, last }: { readonly agent: Agent | undefined; readonly last: StateEvent | undefined }) {
  const now = useNow();
  const state = newer(agent?.state, last?.state);
  if (state === undefined) return null;
  const isGone = last?.type === StateEvent_Type.DEREGISTERED;
  return (
    <Fields>
      <Field name="State">
        <StateBadge state={state.state} /> <LivenessBadge liveness={state.liveness} />{" "}
        {isGone && <span class="badge gray">DEREGISTERED</span>}
      </Field>
      <Field name="Says">{saysSomething(state) && <Note state={state} />}</Field>
      <Field name="Details">{state.details && <Json data={state.details} />}</Field>
      <Field name="Name">{agent?.displayName}</Field>
      <Field name="Version">{agent?.version}</Field>
      <Field name="Capabilities">{agent && wordsOf(agent.capabilities)}</Field>
      <Field name="Labels">
        {agent && wordsOf(Object.entries(agent.labels).map(([key, value]) => `${key}=${value}`))}
      </Field>
      <Field name="Endpoint">{agent?.contactEndpoint}</Field>
      <Field name="Lease">{agent?.leaseTtl && formatAge(durationMs(agent.leaseTtl))}</Field>
      <Field name="Incarnation">{String(state.incarnation)}</Field>
      <Field name="Registered">{agent?.registerTime && <Moment time={agent.registerTime} now={now} />}</Field>
      <Field name="Metadata">{agent?.metadata && <Json data={agent.metadata} />}</Field>
    </Fields>
  );
}

/** A history that is read page by page begins with its oldest. */
function newer(a: AgentState | undefined, b: AgentState | undefined): AgentState | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.revision > b.revision ? a : b;
}

function emptyWords(agent: Agent | undefined): string {
  return agent === undefined
    ? "Nothing is known of this agent. It appears when it registers."
    : "Nothing is kept of what happened to it.";
}

function EventLine({ event: { type, state, previous } }: { readonly event: StateEvent }) {
  if (state === undefined) return <tr />;
  const isChange = previous !== undefined && previous.state !== state.state;
  return (
    <tr>
      <td class="time">{formatTime(state.commitTime, true)}</td>
      <td>{enumName(StateEvent_Type, type).toLowerCase()}</td>
      <td>
        {isChange && (
          <>
            <StateBadge state={previous.state} /> →{" "}
          </>
        )}
        <StateBadge state={state.state} /> <LivenessBadge liveness={state.liveness} />
      </td>
      <td class="words">
        <Note state={state} />
      </td>
      <td class="dim">{state.actor}</td>
    </tr>
  );
}

function wordsOf(words: readonly string[]) {
  return words.length > 0 && <Words words={words} />;
}
