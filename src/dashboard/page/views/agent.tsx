import { durationMs } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { useState } from "preact/hooks";
import type { Agent } from "../../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent } from "../../../../gen/opscore/v1/state_service_pb.js";
import { enumName } from "../../../lib/enum-name.js";
import { formatAge, formatTime } from "../../../lib/time-text.js";
import { agentEvents } from "../live/agent-events.js";
import { useLive, useNow } from "../live/use-live.js";
import { LivenessBadge, StateBadge } from "../parts/badge.js";
import { Field, Fields, Json, Moment } from "../parts/fields.js";
import { LongTable } from "../parts/long-table.js";
import { Note, saysSomething } from "../parts/note.js";
import { Failure } from "../parts/notice.js";
import { Page } from "../parts/page.js";
import { useServer } from "../server.js";

/** One agent: who it is, what it is doing, and what it has done. */
export function AgentView({ agentId }: { readonly agentId: string }) {
  const { client } = useServer();
  const [agent, setAgent] = useState<Agent>();
  const [failure, setFailure] = useState<ConnectError>();
  const table = useLive(() => agentEvents(client, agentId, setAgent, setFailure), [client, agentId]);
  const { rows } = table;
  return (
    <Page title={agentId} condition={table.condition}>
      {failure !== undefined && <Failure what="Its history cannot be read" error={failure} />}
      <AgentNow agent={agent} last={rows[0]} />
      <h2>What happened</h2>
      <LongTable
        head={["Time", "Event", "State", "Note", "By"]}
        rows={rows}
        row={(event) => <EventLine key={event.state?.revision} event={event} />}
        empty={table.isComplete ? "Nothing is known of this agent. It appears when it registers." : ""}
      />
    </Page>
  );
}

/** @param last what happened to it last */
function AgentNow({ agent, last }: { readonly agent: Agent | undefined; readonly last: StateEvent | undefined }) {
  const now = useNow();
  const state = last?.state ?? agent?.state;
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
      <Field name="Capabilities">{agent?.capabilities.join(", ")}</Field>
      <Field name="Labels">{agent && labelsOf(agent)}</Field>
      <Field name="Endpoint">{agent?.contactEndpoint}</Field>
      <Field name="Lease">{agent?.leaseTtl && formatAge(durationMs(agent.leaseTtl))}</Field>
      <Field name="Incarnation">{String(state.incarnation)}</Field>
      <Field name="Registered">{agent?.registerTime && <Moment time={agent.registerTime} now={now} />}</Field>
      <Field name="Metadata">{agent?.metadata && <Json data={agent.metadata} />}</Field>
    </Fields>
  );
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
      <td>
        <Note state={state} />
      </td>
      <td class="dim">{state.actor}</td>
    </tr>
  );
}

function labelsOf({ labels }: Agent): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}
