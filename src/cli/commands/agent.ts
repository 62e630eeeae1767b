import type { Command } from "commander";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  ConfirmExpiryResponseSchema,
  DeregisterAgentResponseSchema,
  GetAgentResponseSchema,
  ListAgentsResponseSchema,
  RegisterAgentResponseSchema,
  UpdateAgentResponseSchema,
} from "../../../gen/opscore/v1/agent_service_pb.js";
import { showItem, showList } from "../answers.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { AGENT_FILTER, LABELS, LIMIT, METADATA, REQUEST_ID } from "../common-flags.js";
import { implementCall } from "../connection.js";
import { nothingToChange, usageFailure } from "../failure.js";
import { listed, maybe, optional, repeated, required, toggle, type Values } from "../flags.js";
import { given } from "../given.js";
import { anyText, choice, duration, int64 } from "../readers.js";
import { printAgent, printAgents } from "../views/agents.js";
import { livenessWord, stateWord } from "../words.js";
import { defineSimulate } from "./agent-simulate.js";

const DAY_MS = 86_400_000;

/** What is known of an agent beside its state. */
const PROFILE = {
  displayName: optional("--display-name <name>", "a name for people", anyText),
  version: optional("--agent-version <version>", "the version of the agent's own software", anyText),
  capability: repeated("--capability <word>", "what it can do", anyText),
  labels: LABELS,
  contactEndpoint: optional("--contact-endpoint <url>", "where the agent takes requests", anyText),
  metadata: METADATA,
  leaseTtl: optional("--lease-ttl <duration>", "how long it stays alive unheard; 0: for ever", duration(0, DAY_MS)),
};

/** Of what there can be several, and none. */
const LISTS = { capabilities: "capabilities", labels: "labels" } as const;

/** `opscore agent`: who there is. */
export function define(group: Command, host: Host): void {
  defineList(group.command("list"), host);
  defineGet(group.command("get"), host);
  defineRegister(group.command("register"), host);
  defineUpdate(group.command("update"), host);
  defineDeregister(group.command("deregister"), host);
  defineConfirmExpiry(group.command("confirm-expiry"), host);
  defineSimulate(group.command("simulate"), host);
}

function defineList(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "List agents",
    details: "In the order of their first registration. All filters must match.",
    examples: [
      ["opscore agent list --selector 'env=prod,!canary' --state idle", "who in production is free"],
      ["opscore agent list --json | jq -r '.agents[].agentId'", "the ids, for a script"],
    ],
    positionals: {},
    flags: {
      ...AGENT_FILTER,
      states: listed("--state <state>", "only agents in this state", stateWord),
      liveness: listed("--liveness <liveness>", "only agents of this liveness", livenessWord),
      limit: LIMIT,
    },
    async run({ labelSelector, capabilities, states, liveness, limit }, context) {
      const { client, signal } = context;
      const filter = {
        ...given({ labelSelector }),
        capabilities: [...capabilities],
        states: [...states],
        liveness: [...liveness],
      };
      return showList(context, limit, {
        schema: ListAgentsResponseSchema,
        field: "agents",
        none: "no agents",
        read: (page) => client.agents.listAgents({ ...filter, ...page }, { signal }),
        print: printAgents,
      });
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one agent and its state",
    positionals: { agentId: required("agent-id", "the agent", anyText) },
    flags: {},
    async run({ agentId }, context) {
      const { client, signal } = context;
      const answer = await client.agents.getAgent({ agentId }, { signal });
      return showItem(context, GetAgentResponseSchema, answer, answer.agent, printAgent);
    },
  });
}

function defineRegister(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Register an agent, or register it again",
    details:
      "An agent that is registered already gets its next incarnation and starts in the initial state; with --keep-state only its data changes.",
    examples: [
      ["opscore agent register writer-1 --capability write --label env=prod", "an agent that never expires"],
      ["opscore agent register writer-1 --lease-ttl 30s", "one that is lost unless it reports at least every 30 s"],
    ],
    positionals: { agentId: maybe("agent-id", "the agent; not given: the server makes an id", anyText) },
    flags: {
      ...PROFILE,
      initialState: optional("--initial-state <state>", "the state to start in, unknown unless given", stateWord),
      keepState: toggle(
        "--keep-state",
        "leave incarnation, lease and state of a registered agent alone, and how it takes tasks",
      ),
      requestId: REQUEST_ID,
    },
    async run(values, { client, io, out, err, json, signal }) {
      const { agentId, initialState, keepState, requestId } = values;
      const answer = await client.agents.registerAgent(
        { ...profileOf(values), ...given({ agentId, initialState, keepState, requestId }) },
        { signal },
      );
      if (json) {
        out.json(apiJson(RegisterAgentResponseSchema, answer));
      } else if (answer.agent !== undefined) {
        printAgent(out, answer.agent, io.scheduler.now());
        err.line([{ text: answer.created ? "registered" : registeredAgain(keepState), look: "green" }]);
      }
      return undefined;
    },
  });
}

function registeredAgain(keepState: boolean): string {
  return keepState ? "it was registered already: its data is up to date" : "registered again";
}

function defineUpdate(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Change an agent's data",
    details:
      "Only what is given changes; capabilities and labels take the place of those that were there. State, incarnation and history stay.",
    examples: [
      ["opscore agent update writer-1 --label env=prod --label tier=web", "give it other labels"],
      ["opscore agent update writer-1 --clear labels", "take them away"],
    ],
    positionals: { agentId: required("agent-id", "the agent", anyText) },
    flags: {
      ...PROFILE,
      clear: listed("--clear <list>", "leave none of these", choice(LISTS)),
      expectedRevision: optional("--if-revision <number>", "only if its data has this revision", int64),
      requestId: REQUEST_ID,
    },
    async run(values, context) {
      const { client, signal } = context;
      const { agentId, clear, expectedRevision, requestId } = values;
      const profile = profileOf(values);
      const both = clear.find((list) => profile[list] !== undefined);
      if (both !== undefined) {
        throw usageFailure([{ name: "--clear", description: `must not name what is given: ${both}` }]);
      }
      // A field that is in the mask and not set is cleared.
      const paths = new Set([...Object.keys(profile).map(protoName), ...clear]);
      if (values.leaseTtl !== undefined) paths.add("lease_ttl");
      if (paths.size === 0) throw nothingToChange([...Object.values(PROFILE).map(({ name }) => name), "--clear"]);
      const answer = await client.agents.updateAgent(
        {
          agent: { ...profile, agentId },
          updateMask: { paths: [...paths] },
          ...given({ expectedRevision, requestId }),
        },
        { signal },
      );
      return showItem(context, UpdateAgentResponseSchema, answer, answer.agent, printAgent);
    },
  });
}

/** What was typed of an agent's data. */
function profileOf(values: Values<typeof PROFILE>) {
  const { displayName, version, contactEndpoint, metadata, capability, labels, leaseTtl } = values;
  return given({
    ...{ displayName, version, contactEndpoint, metadata },
    capabilities: capability.length === 0 ? undefined : [...capability],
    labels: Object.keys(labels).length === 0 ? undefined : labels,
    leaseTtl: leaseTtl === undefined || leaseTtl === 0 ? undefined : durationFromMs(leaseTtl),
  });
}

/** The name of a field in its proto file. */
function protoName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function defineDeregister(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Remove an agent",
    details: "Its history stays readable until retention removes it. Whoever waits for the agent is told.",
    positionals: { agentId: required("agent-id", "the agent", anyText) },
    flags: { incarnation: optional("--incarnation <number>", "only if this is its current incarnation", int64) },
    async run({ agentId, incarnation }, { client, io, out, err, json, signal }) {
      const answer = await client.agents.deregisterAgent({ agentId, incarnation: incarnation ?? 0n }, { signal });
      if (json) {
        out.json(apiJson(DeregisterAgentResponseSchema, answer));
      } else if (answer.agent !== undefined) {
        printAgent(out, answer.agent, io.scheduler.now());
        err.line([{ text: "deregistered; this is what it was", look: "green" }]);
      }
      return undefined;
    },
  });
}

function defineConfirmExpiry(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Confirm that agents are lost which all went silent at once",
    details:
      "When more than half of all leased agents, and at least 20, would be LOST at once, the server keeps them at SUSPECT: the fault is then more likely on its own side. This says that it is not, for the agents of the namespace. Agents that are not past their time are not touched.",
    positionals: {},
    flags: {},
    async run(_values, { client, out, json, signal }) {
      const answer = await client.agents.confirmExpiry({}, { signal });
      const { lostCount } = answer;
      if (json) out.json(apiJson(ConfirmExpiryResponseSchema, answer));
      else if (lostCount === 0) out.line("no agent was kept: nothing has changed");
      else out.line(lostCount === 1 ? "1 agent is LOST now" : `${lostCount} agents are LOST now`);
      return undefined;
    },
  });
}
