import { useState } from "preact/hooks";
import { Liveness, State } from "../../../../gen/opscore/v1/common_pb.js";
import { formatAge } from "../../../lib/time-text.js";
import { agentTable, type AgentRow } from "../live/agents.js";
import { useLive, useNow } from "../live/use-live.js";
import { fieldOf } from "../parts/access-forms.js";
import { LivenessBadge, STATE_COLOURS, StateBadge } from "../parts/badge.js";
import { Chips } from "../parts/chips.js";
import { LongTable } from "../parts/long-table.js";
import { Note } from "../parts/note.js";
import { Page } from "../parts/page.js";
import { agentLink } from "../route.js";
import { useServer } from "../server.js";

/** What the list is narrowed to. */
interface Narrowing {
  readonly labels: string;
  readonly text: string;
  readonly chosen: State | "lost" | undefined;
}

/** As it was left, for whoever comes back from one of the agents. */
let left: Narrowing = { labels: "", text: "", chosen: undefined };

/** Every agent as it is now. */
export function AgentsView() {
  const { client } = useServer();
  const now = useNow();
  const [{ labels, text, chosen }, setNarrowing] = useState(left);
  const table = useLive(() => agentTable(client, labels), [client, labels]);
  const { rows } = table;
  const shown = rows.filter((row) => isOfKind(row, chosen) && says(row, text));

  function narrow(change: Partial<Narrowing>): void {
    left = { ...left, ...change };
    setNarrowing(left);
  }

  return (
    <Page title="Agents" condition={table.condition}>
      <div class="filters">
        <Chips
          label="Only agents that are"
          chips={chipsOf(rows)}
          chosen={chosen}
          onChoose={(kind) => narrow({ chosen: kind })}
        />
        <input
          type="search"
          aria-label="Only agents with this text"
          placeholder="id or message"
          value={text}
          onInput={(event) => narrow({ text: event.currentTarget.value })}
        />
        <form onSubmit={(event) => narrow({ labels: fieldOf(event, "labels") })}>
          <input
            name="labels"
            defaultValue={labels}
            aria-label="Only agents with these labels"
            placeholder="labels: env=prod,tier in (a,b)"
          />
        </form>
      </div>
      <LongTable
        head={["Agent", "State", "For", "What it says"]}
        rows={shown}
        row={(row) => <AgentLine key={row.state.agentId} row={row} now={now} />}
        empty={emptyWords(table.isComplete, rows.length)}
      />
    </Page>
  );
}

function AgentLine({ row: { state, since, changedAt }, now }: { readonly row: AgentRow; readonly now: number }) {
  return (
    <tr>
      <th scope="row">
        <a href={agentLink(state.agentId)}>{state.agentId}</a>
      </th>
      <td>
        {/* A new key plays the animation again. */}
        <span key={changedAt} class={changedAt === 0 ? undefined : "news"}>
          <StateBadge state={state.state} />
        </span>{" "}
        <LivenessBadge liveness={state.liveness} />
      </td>
      <td class="number">{formatAge(now - since)}</td>
      <td class="words">
        <Note state={state} />
      </td>
    </tr>
  );
}

const STATES = [State.ACTIVE, State.IDLE, State.INITIALIZING, State.ERROR, State.FINISHED, State.UNKNOWN] as const;

function chipsOf(rows: readonly AgentRow[]) {
  const counts = new Map<State | "lost", number>();
  const count = (kind: State | "lost") => counts.set(kind, (counts.get(kind) ?? 0) + 1);
  for (const { state } of rows) {
    count(state.state);
    if (state.liveness === Liveness.LOST) count("lost");
  }
  return [
    ...STATES.map((state) => ({
      value: state,
      name: State[state].toLowerCase(),
      colour: STATE_COLOURS[state],
      count: counts.get(state) ?? 0,
    })),
    { value: "lost" as const, name: "lost", colour: "red" as const, count: counts.get("lost") ?? 0 },
  ];
}

function isOfKind({ state }: AgentRow, kind: State | "lost" | undefined): boolean {
  return kind === undefined || (kind === "lost" ? state.liveness === Liveness.LOST : state.state === kind);
}

function says({ state }: AgentRow, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return [state.agentId, state.message, state.reason].some((part) => part.toLowerCase().includes(wanted));
}

function emptyWords(isComplete: boolean, total: number): string {
  if (!isComplete) return "";
  return total === 0 ? "No agents here yet. They appear when they register." : "None of the agents is like that.";
}
