import {
  StartSessionRequestSchema,
  SessionStatus,
  UpdateSessionRequestSchema,
} from "../../gen/opscore/v1/session_service_pb.js";
import type { Operation, Request } from "../load/dialects/index.js";
import { encode } from "../load/dialects/opscore.js";
import { CALLERS, CONNECTIONS, openUnary } from "../load/unary.js";
import type { Scenario } from "../scenario.js";
import { agentId } from "../systems/population.js";

const SERVICE = "/opscore.v1.SessionService";

export const sessions: Scenario = {
  name: "sessions",
  title: "Sessions",
  description: `${CALLERS} callers on ${CONNECTIONS} connections; each starts a session, sets it RUNNING and COMPLETED, and starts the next. Counted are calls.`,
  cases: (["opscore", "connect", "grpc-js"] as const).map((system) => ({
    name: system,
    system,
    server: { agents: CALLERS },
    open: (target, pace) => openUnary(target, pace, new Lives()),
  })),
  claims: [],
};

/** One session after the other, for each caller. */
class Lives implements Operation {
  private readonly steps: number[] = [];

  request(caller: number): Request {
    const step = this.steps[caller] ?? 0;
    this.steps[caller] = step + 1;
    const sessionId = `session-${caller}-${Math.floor(step / 3)}`;
    switch (step % 3) {
      case 0:
        return {
          path: `${SERVICE}/StartSession`,
          message: encode(StartSessionRequestSchema, { sessionId, agentId: agentId(caller) }),
        };
      case 1:
        return update(sessionId, SessionStatus.RUNNING);
      default:
        return update(sessionId, SessionStatus.COMPLETED);
    }
  }

  isDone(_bytes: Buffer, start: number, end: number): boolean {
    return end > start;
  }
}

function update(sessionId: string, status: SessionStatus): Request {
  return {
    path: `${SERVICE}/UpdateSession`,
    message: encode(UpdateSessionRequestSchema, { session: { sessionId, status } }),
  };
}
