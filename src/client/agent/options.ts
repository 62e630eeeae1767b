import type { JsonObject } from "@bufbuild/protobuf";
import type { State, TaskDelivery } from "../../../gen/opscore/v1/common_pb.js";
import type { OpsCoreClient } from "../client.js";
import type { RetryOptions } from "../retry-policy.js";
import type { Scheduler } from "../scheduler.js";

/** What an agent is, and how its helper behaves. */
export interface AgentOptions {
  /** Carries the agent's calls; it stays the caller's to close. */
  readonly client: Pick<OpsCoreClient, "agents" | "states" | "tasks" | "watchTasks" | "onClose">;
  /** Unique within the namespace. 1 to 128 characters of `[A-Za-z0-9._:-]`. Default: the server makes one. */
  readonly agentId?: string | undefined;
  /** A name for people. */
  readonly displayName?: string | undefined;
  /** The version of the agent's own software. */
  readonly version?: string | undefined;
  /** What the agent can do, the words by which tasks find it. */
  readonly capabilities?: readonly string[] | undefined;
  /** Where the agent takes requests: an absolute http or https URL. */
  readonly contactEndpoint?: string | undefined;
  /** How many tasks it works on at the same time. Default 1. */
  readonly maxConcurrentTasks?: number | undefined;
  /**
   * How tasks reach it. Default: on the stream that `Agent.tasks` opens; with a `contactEndpoint`, as the server finds best, which is a
   * request to that.
   */
  readonly taskDelivery?: TaskDelivery | undefined;
  /** Words to select by. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Free data. At most 64 KiB as JSON. */
  readonly metadata?: JsonObject | undefined;
  /**
   * How long the server takes the agent for alive without a sign of life; the helper gives one three times as often. Milliseconds, from
   * 100 to 86,400,000. Default 30,000. 0: no lease, the agent never expires.
   */
  readonly leaseTtlMs?: number | undefined;
  /** The state to start in. Default UNKNOWN. */
  readonly initialState?: State | undefined;
  /** How many reports are kept while the server is away; beyond it the oldest is dropped. Default 1,000. */
  readonly queueLimit?: number | undefined;
  /** For how long to try to register at first, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number | undefined;
  /** Gives up the start. The agent that has started is ended with `stop`. */
  readonly signal?: AbortSignal | undefined;
  /** How to come back to a server that is away; `maxAttempts` is of no effect. */
  readonly reconnect?: RetryOptions | undefined;
  /** Time and chance, for tests. */
  readonly scheduler?: Scheduler | undefined;
}

/** What listeners of an agent are told. */
export interface AgentEvents {
  /** The server answers again; it did not before. */
  readonly connected: undefined;
  /** The server stopped answering, for this reason. Reports are kept from now on. */
  readonly disconnected: Error;
  /** Another process has registered under this id. The agent has stopped; reports that were waiting have failed. */
  readonly superseded: Error;
  /** A report was refused or dropped, or a call failed in a way that will not pass by itself. */
  readonly error: Error;
}

export type AgentStatus = "connected" | "disconnected" | "superseded" | "stopped";

export interface StopOptions {
  /** A last report before the end, such as `State.FINISHED`. Default: none, the agent keeps the state it has. */
  readonly state?: State | undefined;
  /** Remove the registration. Default false: the agent stays known, and its lease runs out. */
  readonly deregister?: boolean | undefined;
  /** How long to go on trying to send what is left, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number | undefined;
}

export interface StopResult {
  /** How many reports did not reach the server in time. */
  readonly unsent: number;
}
