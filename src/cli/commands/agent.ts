import type { Command } from "commander";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  DeregisterAgentResponseSchema,
  GetAgentResponseSchema,
  ListAgentsResponseSchema,
  RegisterAgentResponseSchema,
  type ListAgentsResponse,
} from "../../../gen/opscore/v1/agent_service_pb.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { implementCall } from "../connection.js";
import { listed, maybe, optional, repeated, required, toggle } from "../flags.js";
import { given } from "../given.js";
import { collectPages, printRest } from "../paging.js";
import { anyText, duration, int64, jsonObject, label, wholeNumber } from "../readers.js";
import { printAgent, printAgents } from "../views/agents.js";
import { livenessWord, stateWord } from "../words.js";
import { defineSimulate } from "./agent-simulate.js";

const DAY_MS = 86_400_000;

/** `opscore agent`: who there is. */
export function define(group: Command, host: Host): void {
  defineList(group.command("list"), host);
  defineGet(group.command("get"), host);
  defineRegister(group.command("register"), host);
  defineDeregister(group.command("deregister"), host);
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
      selector: optional("-l, --selector <selector>", "a label selector, such as env=prod,tier in (web,db)", anyText),
      capability: repeated("--capability <word>", "only agents that can do this", anyText),
      state: listed("--state <state>", "only agents in this state", stateWord),
      liveness: listed("--liveness <liveness>", "only agents of this liveness", livenessWord),
      limit: optional("--limit <count>", "at most so many (default: all)", wholeNumber(1, 1_000_000)),
    },
    async run({ selector, capability, state, liveness, limit }, { client, io, out, err, json, signal }) {
      const filter = {
        labelSelector: selector ?? "",
        capabilities: [...capability],
        states: [...state],
        liveness: [...liveness],
      };
      const { items, nextPageToken } = await collectPages(limit, async (page) => {
        const answer: ListAgentsResponse = await client.agents.listAgents({ ...filter, ...page }, { signal });
        return { items: answer.agents, nextPageToken: answer.nextPageToken };
      });
      if (json) {
        const answer = { $typeName: ListAgentsResponseSchema.typeName, agents: items, nextPageToken };
        out.json(apiJson(ListAgentsResponseSchema, answer));
      } else if (items.length === 0) {
        err.line([{ text: "no agents", look: "dim" }]);
      } else {
        printAgents(out, items, io.scheduler.now());
        printRest(err, nextPageToken);
      }
      return undefined;
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one agent and its state",
    positionals: { agentId: required("agent-id", "the agent", anyText) },
    flags: {},
    async run({ agentId }, { client, io, out, json, signal }) {
      const answer = await client.agents.getAgent({ agentId }, { signal });
      if (json) out.json(apiJson(GetAgentResponseSchema, answer));
      else if (answer.agent !== undefined) printAgent(out, answer.agent, io.scheduler.now());
      return undefined;
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
      displayName: optional("--display-name <name>", "a name for people", anyText),
      version: optional("--agent-version <version>", "the version of the agent's own software", anyText),
      capability: repeated("--capability <word>", "what it can do", anyText),
      label: repeated("--label <key=value>", "a word to select it by", label),
      contactEndpoint: optional("--contact-endpoint <url>", "where the agent takes requests", anyText),
      metadata: optional("--metadata <json>", "free data: a JSON object, @FILE, or - for standard input", jsonObject),
      leaseTtl: optional(
        "--lease-ttl <duration>",
        "how long it stays alive unheard (default: for ever)",
        duration(0, DAY_MS),
      ),
      initialState: optional("--initial-state <state>", "the state to start in, unknown unless given", stateWord),
      keepState: toggle(
        "--keep-state",
        "leave incarnation, lease and state of a registered agent alone, and how it takes tasks",
      ),
      requestId: optional("--request-id <id>", "makes the call safe to repeat for 10 minutes", anyText),
    },
    async run(values, { client, io, out, err, json, signal }) {
      const { capability, label: labels, leaseTtl, ...rest } = values;
      const answer = await client.agents.registerAgent(
        {
          ...given(rest),
          capabilities: [...capability],
          labels: Object.fromEntries(labels),
          ...(leaseTtl === undefined ? {} : { leaseTtl: durationFromMs(leaseTtl) }),
        },
        { signal },
      );
      if (json) {
        out.json(apiJson(RegisterAgentResponseSchema, answer));
      } else if (answer.agent !== undefined) {
        printAgent(out, answer.agent, io.scheduler.now());
        err.line([{ text: answer.created ? "registered" : registeredAgain(rest.keepState), look: "green" }]);
      }
      return undefined;
    },
  });
}

function registeredAgain(keepState: boolean): string {
  return keepState ? "it was registered already: its data is up to date" : "registered again";
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
