import type { AgentState } from "../../../../gen/opscore/v1/common_pb.js";
import { sessionLink } from "../route.js";

/** What an agent says beside its state: why, and what it works on. Its message has a direction of its own, whatever is in it. */
export function Note({ state: { reason, message, sessionId, taskId } }: { readonly state: AgentState }) {
  return (
    <>
      {reason !== "" && <span class="reason">{reason}</span>} <bdi>{message}</bdi>{" "}
      {sessionId !== "" && (
        <a class="dim" href={sessionLink(sessionId)}>
          {taskId === "" ? `session ${sessionId}` : `task ${taskId}`}
        </a>
      )}
    </>
  );
}

/** Whether there is anything to note. */
export function saysSomething({ reason, message, sessionId }: AgentState): boolean {
  return reason !== "" || message !== "" || sessionId !== "";
}
