/** An agent against a server that is played, and what its listeners were told. */
import { Code, ConnectError } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { Agent, type AgentOptions } from "../../../src/client/index.js";
import type { AgentServer } from "./agent-server.js";
import { failure } from "./failures.js";

/** How a server that is away fails calls. */
export const away = failure("STORAGE_UNAVAILABLE");

/** Starts an agent that ends with the test. */
export async function start(server: AgentServer, options: Partial<AgentOptions> = {}): Promise<Agent> {
  const { client, scheduler } = server;
  const agent = await Agent.start({ client, scheduler, agentId: "a", leaseTtlMs: 0, ...options });
  onTestFinished(() => server.client.close());
  return agent;
}

/** What an agent's listeners were told, in order. */
export function listen(agent: Agent): string[] {
  const told: string[] = [];
  agent.on("connected", () => told.push("connected"));
  agent.on("disconnected", (error) => told.push(`disconnected: ${codeOf(error)}`));
  agent.on("superseded", (error) => told.push(`superseded: ${codeOf(error)}`));
  agent.on("error", (error) => told.push(`error: ${codeOf(error)}`));
  return told;
}

/** The code of a call that failed, else the name of the error. */
export function codeOf(error: Error): string {
  return error instanceof ConnectError ? Code[error.code] : error.name;
}
