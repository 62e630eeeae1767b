import { toJsonString, create } from "@bufbuild/protobuf";
import { TaskSchema } from "../../../../gen/opscore/v1/task_service_pb.js";
import type { Agent, TaskRecord } from "../../../storage/records.js";
import { post, type OutboundOutcome } from "../../outbound/post.js";
import { signedHeaders } from "../../outbound/sign.js";
import { toTask } from "../../wire/index.js";
import { deliveryBy, REQUEST_TIMEOUT_MS, type Courier, type Delivery } from "./courier.js";

/** What a request says happened. */
type EndpointEvent = "task.leased" | "task.cancelled";

export interface EndpointOptions {
  /** What requests are signed with; empty: there is none, and nothing is sent. */
  readonly secret: string;
  /** Whether agents may be inside: on this machine, in its network. */
  readonly allowInside: boolean;
  /** The wall clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** By a signed POST to the agent's `contact_endpoint`. */
export class EndpointCourier implements Courier {
  constructor(private readonly options: EndpointOptions) {}

  async bring(task: TaskRecord, agent: Agent, signal: AbortSignal): Promise<Delivery> {
    if (this.options.secret === "") return notConfigured("OPSCORE_OUTBOUND_SECRET is not set");
    if (agent.record.contactEndpoint === "") return notConfigured("the agent has no contact_endpoint");
    return deliveryBy(await this.send("task.leased", task, agent, signal));
  }

  async recall(task: TaskRecord, agent: Agent, signal: AbortSignal): Promise<void> {
    if (this.options.secret !== "" && agent.record.contactEndpoint !== "") {
      await this.send("task.cancelled", task, agent, signal);
    }
  }

  private send(event: EndpointEvent, task: TaskRecord, agent: Agent, signal: AbortSignal): Promise<OutboundOutcome> {
    const { secret, allowInside, now } = this.options;
    const body = `{"event":"${event}","task":${toJsonString(TaskSchema, create(TaskSchema, toTask(task)))}}`;
    return post({
      url: agent.record.contactEndpoint,
      body,
      headers: signedHeaders(secret, body, now()),
      timeoutMs: REQUEST_TIMEOUT_MS,
      allowInside,
      signal,
    });
  }
}

function notConfigured(error: string): Delivery {
  return { kind: "refused", reason: "NoDelivery", error, permanent: true };
}
