/** A test of an agent with `ops-core/testing` and Node's own runner: a real server, nothing that sleeps or polls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Agent, SessionStatus, State } from "ops-core";
import { expectTransition, startTestServer } from "ops-core/testing";

await test("the agent does what it is given, and is free again", async () => {
  const server = await startTestServer();
  const { client } = server;
  try {
    const agent = await Agent.start({ client, agentId: "adder", capabilities: ["add"] });
    const transition = expectTransition(client, "adder", [State.IDLE, State.ACTIVE, State.IDLE]);
    await transition.watching;

    const { session } = await client.workflows.triggerWorkflow({
      target: { case: "capability", value: "add" },
      definition: { case: "workflow", value: { tasks: [{ taskId: "sum", parameters: { a: 2, b: 3 } }] } },
    });
    for await (const task of agent.tasks()) {
      await task.complete({ sum: Number(task.parameters["a"]) + Number(task.parameters["b"]) });
      await transition;
      break;
    }

    const ended = await client.sessions.getSession({ sessionId: session?.sessionId ?? "" });
    assert.equal(ended.session?.status, SessionStatus.COMPLETED);
    assert.deepEqual(ended.session.result, { sum: { sum: 5 } });
    await agent.stop();
  } finally {
    await server.close();
  }
});
