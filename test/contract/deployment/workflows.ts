import { describe, expect, it } from "vitest";
import { openSubject, refusal, type Deployment } from "./subject.js";

export function workflowsContract(deployment: () => Deployment): void {
  describe("workflows", () => {
    it("put through one replica are the other's too, and only one of two that put at once wins", async () => {
      const { here, there } = openSubject(deployment());
      const tasks = [{ taskId: "t1" }, { taskId: "t2", dependsOn: ["t1"], agentCapability: "cook" }];
      const { workflow } = await here.workflows.putWorkflow({ workflow: { workflowId: "w", tasks } });
      expect((await there.workflows.getWorkflow({ workflowId: "w" })).workflow).toEqual(workflow);
      expect((await there.workflows.listWorkflows({})).workflows).toEqual([workflow]);
      const outcomes = await Promise.allSettled(
        [here, there].map(({ workflows }, i) =>
          workflows.putWorkflow({
            workflow: { workflowId: "w", version: String(i), tasks },
            expectedRevision: workflow?.revision ?? 0n,
          }),
        ),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      await there.workflows.deleteWorkflow({ workflowId: "w" });
      expect(await refusal(here.workflows.getWorkflow({ workflowId: "w" }))).toBe("WORKFLOW_NOT_FOUND");
    });

    it("are triggered once by a repeated request, whichever replica it reaches", async () => {
      const { here, there } = openSubject(deployment());
      await here.workflows.putWorkflow({ workflow: { workflowId: "w", tasks: [{ taskId: "t" }] } });
      const request = {
        target: { case: "capability", value: "cook" },
        definition: { case: "workflowId", value: "w" },
        requestId: "once",
      } as const;
      const answers = await Promise.all(
        [here, there, here, there].map(({ workflows }) => workflows.triggerWorkflow(request)),
      );
      expect(new Set(answers.map(({ session }) => session?.sessionId)).size).toBe(1);
      expect((await there.sessions.listSessions({ workflowId: "w" })).sessions).toHaveLength(1);
    });
  });
}
