import type { JsonObject } from "../../../lib/json.js";
import type { TaskRecord } from "../../../storage/records.js";
import { post } from "../../outbound/post.js";
import { deliveryBy, REQUEST_TIMEOUT_MS, type Courier, type Delivery } from "./courier.js";

/** Who AgentKit's agents see as the sender. */
const SENDER = "opscore_system_id";

/** By AgentKit's `/run`, which passes the message on later: its 202 says nothing of the agent. */
export class AgentKitCourier implements Courier {
  /** @param apiUrl where AgentKit is; the operator's choice, so it may be inside. Empty: there is none */
  constructor(private readonly apiUrl: string) {}

  async bring(task: TaskRecord, _agent: unknown, signal: AbortSignal): Promise<Delivery> {
    if (this.apiUrl === "") {
      return { kind: "refused", reason: "NoDelivery", error: "AGENTKIT_API_URL is not set", permanent: true };
    }
    const outcome = await post({
      url: `${this.apiUrl.replace(/\/+$/, "")}/agents/${encodeURIComponent(task.agentId)}/run`,
      body: JSON.stringify({
        senderId: SENDER,
        messageType: "workflow_task",
        payload: payloadOf(task),
        task_name: task.displayName === "" ? task.taskId : task.displayName,
        // AgentKit keeps nothing of a session's context but its id, so the ids stand here.
        opscore_session_id: task.sessionId,
        opscore_task_id: task.taskId,
      }),
      timeoutMs: REQUEST_TIMEOUT_MS,
      allowInside: true,
      signal,
    });
    return deliveryBy(outcome);
  }

  /** AgentKit knows no way back. */
  recall(): Promise<void> {
    return Promise.resolve();
  }
}

/** The parameters, with the results of the tasks before beside them where there are any. */
function payloadOf({ parameters = {}, inputs }: TaskRecord): JsonObject {
  return inputs === undefined || "inputs" in parameters ? parameters : { ...parameters, inputs };
}
