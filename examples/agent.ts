/**
 * An agent that takes tasks, in TypeScript.
 *
 * It says what it can do, takes one task after the other, and answers each. Leases, states and lost connections are the helper's.
 * `OPSCORE_URL` says where the server is; Ctrl-C gives back what is not done.
 */
import { Agent, createOpsCoreClient, State } from "ops-core";

const client = createOpsCoreClient({ baseUrl: process.env["OPSCORE_URL"] ?? "http://127.0.0.1:8080" });
const agent = await Agent.start({ client, agentId: "sampler", capabilities: ["sample"] });
const stop = () => void agent.stop({ state: State.FINISHED }).then(() => client.close());
process.once("SIGINT", stop).once("SIGTERM", stop);

for await (const task of agent.tasks()) {
  console.log(`${task.taskId}, attempt ${task.attempt}: ${JSON.stringify(task.parameters)}`);
  try {
    const result = await work(task.parameters, task.signal);
    await task.complete(result);
  } catch (error) {
    // Called off, or not ours any more: nobody waits for an answer.
    if (!task.signal.aborted) await task.fail(error);
  }
}

/** The work itself; it listens to the signal, so that it ends when there is no point in going on. */
async function work({ message }: { readonly message?: unknown }, signal: AbortSignal): Promise<{ said: string }> {
  signal.throwIfAborted();
  if (typeof message !== "string") throw new TypeError("there is no message");
  return Promise.resolve({ said: message.toUpperCase() });
}
