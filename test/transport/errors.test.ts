import { describe, expect, it } from "vitest";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.js";
import { invalidFields, OpsCoreError, REASONS, type Reason } from "../../src/errors/index.js";
import { failureFromJson, postJson, PROTOCOLS, startTransport } from "./harness.js";

const MESSAGE = "it failed: 100% of it, für alle";
const reasons = Object.keys(REASONS) as Reason[];

/** An error as the services would throw it, with everything that its reason may carry. */
function example(reason: Reason): OpsCoreError {
  const metadata = Object.fromEntries(REASONS[reason].metadata.map((key) => [key, `the ${key}`]));
  const violations = reason === "INVALID_FIELD" ? [{ field: 'labels["ä"]', description: "must be shorter" }] : [];
  return new OpsCoreError(reason, MESSAGE, metadata, { violations });
}

const agents = {
  getAgent: ({ agentId }: { agentId: string }) => {
    throw example(agentId as Reason);
  },
};

const RETRIED = { TOO_MANY: 1000, STORAGE_UNAVAILABLE: 250, SERVER_STOPPING: 250 } as Partial<Record<Reason, number>>;
const RESOURCES = {
  AGENT_NOT_FOUND: ["opscore.v1.Agent", "the agent_id"],
  SESSION_NOT_FOUND: ["opscore.v1.Session", "the session_id"],
  SESSION_ALREADY_EXISTS: ["opscore.v1.Session", "the session_id"],
  SESSION_ENDED: ["opscore.v1.Session", "the session_id"],
  WORKFLOW_NOT_FOUND: ["opscore.v1.Workflow", "the workflow_id"],
  TASK_NOT_FOUND: ["opscore.v1.Task", "the session_id/the task_id"],
  WEBHOOK_NOT_FOUND: ["opscore.v1.Webhook", "the webhook_id"],
  WEBHOOK_ALREADY_EXISTS: ["opscore.v1.Webhook", "the webhook_id"],
} as Partial<Record<Reason, [string, string]>>;

describe.each(Object.entries(PROTOCOLS))("%s", (_, call) => {
  it("carries every reason with its details", async () => {
    const { port } = await startTransport({ agents });
    for (const reason of reasons) {
      const failure = await call(port, reason);
      expect(failure, reason).toMatchObject({ code: REASONS[reason].code, message: MESSAGE });
      expect(failure.details(ErrorInfoSchema), reason).toEqual([
        expect.objectContaining({ reason, domain: "opscore", metadata: example(reason).metadata }),
      ]);
      expect(failure.details(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations)).toMatchObject(
        example(reason).violations,
      );
      const delays = failure
        .details(RetryInfoSchema)
        .map(({ retryDelay }) => Number(retryDelay?.nanos) / 1e6 + Number(retryDelay?.seconds) * 1000);
      expect(delays, reason).toEqual(RETRIED[reason] === undefined ? [] : [RETRIED[reason]]);
      const resources = failure.details(ResourceInfoSchema).map((r) => [r.resourceType, r.resourceName]);
      expect(resources, reason).toEqual(RESOURCES[reason] === undefined ? [] : [RESOURCES[reason]]);
    }
  });

  it("tells nothing of a defect but an id, which the log has", async () => {
    const { port, logs } = await startTransport({
      agents: {
        getAgent: () => {
          throw new TypeError("the password is 1234");
        },
      },
    });
    const failure = await call(port, "a");
    expect(failure.code).toBe("INTERNAL");
    const [info] = failure.details(ErrorInfoSchema);
    expect(info?.reason).toBe("INTERNAL");
    const errorId = info?.metadata["error_id"];
    expect(failure.message).toBe(`internal error ${errorId ?? "?"}`);
    const defects = logs.filter((line) => line["errorId"] === errorId);
    expect(defects).toHaveLength(1);
    expect(defects[0]).toMatchObject({
      rpc: "opscore.v1.AgentService/GetAgent",
      err: { type: "TypeError", message: "the password is 1234" },
    });
  });

  it("says that a request is too large, and how large it may be", async () => {
    const { port } = await startTransport({ agents }, { maxRequestBytes: 4096 });
    const failure = await call(port, "x".repeat(5000));
    expect(failure.code).toBe("RESOURCE_EXHAUSTED");
    expect(failure.details(ErrorInfoSchema)).toMatchObject([{ reason: "TOO_LARGE", metadata: { limit: "4096" } }]);
  });
});

describe("JSON that cannot be read", () => {
  it.each([
    ["a value of the wrong type", { agentId: 7 }, "agent_id", /7/],
    ["a field of a message inside", { lease_ttl: "soon" }, "lease_ttl", /soon/],
    ["an enum", { initialState: 7.5 }, "initial_state", /7\.5/],
    ["free data that is no object", { metadata: 5 }, "metadata", /5/],
    ["an enum's name that is none", { initialState: "IDLE" }, "initial_state", /"IDLE"/],
    ["a field that there is not", { agent: "a" }, "", /key "agent" is unknown/],
    ["something that is not JSON", "{", "", /JSON/],
    ["a list", [], "", /Array/],
  ])("%s names what is wrong", async (_, body, field, description) => {
    const { url } = await startTransport({});
    const response = await postJson(url, "opscore.v1.AgentService/RegisterAgent", body);
    expect(response.status).toBe(400);
    const failure = failureFromJson(await response.json());
    expect(failure.code).toBe("INVALID_ARGUMENT");
    expect(failure.details(ErrorInfoSchema)).toMatchObject([{ reason: "INVALID_FIELD" }]);
    expect(failure.details(BadRequestSchema)).toMatchObject([
      { fieldViolations: [{ field, description: expect.stringMatching(description) as string }] },
    ]);
  });

  it("is logged once", async () => {
    const { url, logs } = await startTransport({});
    await postJson(url, "opscore.v1.AgentService/RegisterAgent", "{");
    expect(logs).toMatchObject([{ rpc: "opscore.v1.AgentService/RegisterAgent", code: "INVALID_ARGUMENT" }]);
  });
});

it("a message with half a surrogate pair reaches the caller", async () => {
  const { port } = await startTransport({
    agents: {
      getAgent: () => {
        throw invalidFields([{ field: "agent_id", description: "must not be \ud800" }]);
      },
    },
  });
  for (const call of Object.values(PROTOCOLS)) {
    expect(await call(port, "a")).toMatchObject({ code: "INVALID_ARGUMENT", message: "agent_id must not be \ufffd" });
  }
});
