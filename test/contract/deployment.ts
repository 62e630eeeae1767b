/**
 * What clients may rely on, whichever replica they talk to, as a test suite: every service through the typed client, with one
 * client on each of two replicas. What one of them writes the other must see; what one waits for the other must end.
 *
 *     describeDeploymentContract("Redis", () => ({ here: "http://127.0.0.1:1", there: "http://127.0.0.1:2" }));
 *
 * The storage contract says what the storage promises to the server. This one says what is left of it on the way to a client.
 */
import { describe } from "vitest";
import { agentsContract } from "./deployment/agents.js";
import { sessionsContract } from "./deployment/sessions.js";
import { statesContract } from "./deployment/states.js";
import type { Deployment } from "./deployment/subject.js";
import { tasksContract } from "./deployment/tasks.js";
import { waitsContract } from "./deployment/waits.js";
import { watchesContract } from "./deployment/watches.js";
import { webhooksContract } from "./deployment/webhooks.js";
import { workflowsContract } from "./deployment/workflows.js";

export type { Deployment } from "./deployment/subject.js";

/** @param deployment asked when a case begins; the servers are the caller's to start and to stop */
export function describeDeploymentContract(name: string, deployment: () => Deployment): void {
  describe(`deployment contract: ${name}`, () => {
    agentsContract(deployment);
    statesContract(deployment);
    waitsContract(deployment);
    watchesContract(deployment);
    sessionsContract(deployment);
    workflowsContract(deployment);
    tasksContract(deployment);
    webhooksContract(deployment);
  });
}
