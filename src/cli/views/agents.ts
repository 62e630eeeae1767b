import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Agent, AgentState } from "../../../gen/opscore/v1/common_pb.js";
import { formatDuration } from "../../config/units.js";
import { printable } from "../text/printable.js";
import type { Printer } from "../text/printer.js";
import { span, type Rich } from "../text/rich.js";
import type { Column, Row } from "../text/table.js";
import { formatSince, formatTime } from "../../lib/time-text.js";
import { livenessRich, stateRich } from "./looks.js";

const AGENT_COLUMNS: readonly Column[] = [
  { title: "AGENT" },
  { title: "STATE" },
  { title: "LIVENESS" },
  { title: "CHANGED", align: "right" },
  { title: "CAPABILITIES", min: 12, dispensable: 2 },
  { title: "LABELS", min: 12, dispensable: 3 },
  { title: "MESSAGE", min: 12, dispensable: 1 },
];

/** Agents as a table, one a line. */
export function printAgents(out: Printer, agents: readonly Agent[], now: number): void {
  out.table(
    AGENT_COLUMNS,
    agents.map((agent) => agentRow(agent, now)),
  );
}

function agentRow({ agentId, state, capabilities, labels }: Agent, now: number): Row {
  return [
    span(printable(agentId)),
    state === undefined ? [] : stateRich(state.state),
    state === undefined ? [] : livenessRich(state.liveness),
    span(formatSince(state?.commitTime, now)),
    span(printable(capabilities.join(","))),
    span(printable(labelText(labels))),
    span(printable(state?.message ?? "")),
  ];
}

/** Everything about one agent. */
export function printAgent(out: Printer, agent: Agent, now: number): void {
  const { agentId, leaseTtl } = agent;
  out.fields([
    ["Agent", [{ text: printable(agentId), look: "bold" }]],
    ["Name", span(printable(agent.displayName))],
    ["Version", span(printable(agent.version))],
    ["Capabilities", span(printable(agent.capabilities.join(", ")))],
    ["Labels", span(printable(labelText(agent.labels)))],
    ["Endpoint", span(printable(agent.contactEndpoint))],
    ["Metadata", jsonRich(agent.metadata)],
    ["Incarnation", span(String(agent.incarnation))],
    ["Registered", timeRich(out, agent.registerTime, now)],
    ["Updated", timeRich(out, agent.updateTime, now)],
    ["Revision", span(String(agent.revision))],
    [
      "Lease",
      leaseTtl === undefined
        ? [{ text: "none, never expires", look: "dim" }]
        : span(formatDuration(durationMs(leaseTtl))),
    ],
    ["Lease ends", leaseTtl === undefined ? [] : span(formatTime(agent.leaseExpireTime, out.forPeople))],
    ...(agent.state === undefined ? [] : stateFields(out, agent.state, now)),
  ]);
}

/** Everything about the state of one agent. */
export function printState(out: Printer, state: AgentState, now: number): void {
  out.fields([["Agent", [{ text: printable(state.agentId), look: "bold" }]], ...stateFields(out, state, now)]);
}

function stateFields(out: Printer, state: AgentState, now: number): (readonly [string, Rich])[] {
  return [
    ["State", stateRich(state.state)],
    ["Liveness", livenessRich(state.liveness)],
    ["Reason", span(printable(state.reason))],
    ["Message", span(printable(state.message))],
    ["Details", jsonRich(state.details)],
    ["Session", span(printable(state.sessionId))],
    ["Task", span(printable(state.taskId))],
    ["Changed", timeRich(out, state.commitTime, now)],
    ["Reported", span(formatTime(state.reportTime, out.forPeople))],
    ["By", span(printable(state.actor))],
    ["Sequence", state.sequence === 0n ? [] : span(String(state.sequence))],
    ["State rev.", span(String(state.revision))],
  ];
}

/** When something was, and how long that is ago. */
export function timeRich(out: Printer, time: AgentState["commitTime"], now: number): Rich {
  const text = formatTime(time, out.forPeople);
  return text === "" ? [] : [{ text }, { text: `  ${formatSince(time, now)} ago`, look: "dim" }];
}

/** Free data on one line. */
export function jsonRich(data: unknown): Rich {
  return data === undefined ? [] : span(printable(JSON.stringify(data)));
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((key) => `${key}=${labels[key]}`)
    .join(",");
}
