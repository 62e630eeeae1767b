import { useState } from "preact/hooks";
import { SessionStatus, type Session } from "../../../../gen/opscore/v1/session_service_pb.js";
import { sessionTable } from "../live/sessions.js";
import { useLive, useNow } from "../live/use-live.js";
import { SessionBadge, STATUS_COLOURS } from "../parts/badge.js";
import { Chips } from "../parts/chips.js";
import { LongTable } from "../parts/long-table.js";
import { Page } from "../parts/page.js";
import { formatSince } from "../../../lib/time-text.js";
import { agentLink, sessionLink } from "../route.js";
import { useServer } from "../server.js";
import { durationOf } from "./session.js";

const STATUSES = [
  SessionStatus.RUNNING,
  SessionStatus.STARTED,
  SessionStatus.PAUSED,
  SessionStatus.FAILED,
  SessionStatus.COMPLETED,
  SessionStatus.CANCELLED,
] as const;

/** The status that the list was narrowed to, for whoever comes back from one of the sessions. */
let left: SessionStatus | undefined;

/** Every session as it is now, the newest first. */
export function SessionsView() {
  const { client } = useServer();
  const now = useNow();
  const [chosen, choose] = useState(left);
  const table = useLive(() => sessionTable(client, {}), [client]);
  const { rows } = table;
  const chips = STATUSES.map((status) => ({
    value: status,
    name: SessionStatus[status].toLowerCase(),
    colour: STATUS_COLOURS[status],
    count: rows.filter((session) => session.status === status).length,
  }));
  return (
    <Page title="Sessions" condition={table.condition}>
      <div class="filters">
        <Chips
          label="Only sessions that are"
          chips={chips}
          chosen={chosen}
          onChoose={(status) => choose((left = status))}
        />
      </div>
      <LongTable
        head={["Session", "Status", "Agent", "Workflow", "Started", "Took", "Error"]}
        rows={rows.filter(({ status }) => chosen === undefined || status === chosen)}
        row={(session) => <SessionLine key={session.sessionId} session={session} now={now} />}
        empty={table.isComplete ? "No sessions here." : ""}
      />
    </Page>
  );
}

function SessionLine({ session, now }: { readonly session: Session; readonly now: number }) {
  const { sessionId, agentId, workflowId, status, startTime, error } = session;
  return (
    <tr>
      <th scope="row">
        <a href={sessionLink(sessionId)}>{sessionId}</a>
      </th>
      <td>
        <SessionBadge status={status} />
      </td>
      <td class="id">{agentId !== "" && <a href={agentLink(agentId)}>{agentId}</a>}</td>
      <td class="id">{workflowId}</td>
      <td class="number">{startTime && `${formatSince(startTime, now)} ago`}</td>
      <td class="number">{durationOf(session, now)}</td>
      <td class="words error">{error}</td>
    </tr>
  );
}
