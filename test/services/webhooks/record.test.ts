import { describe, expect, it } from "vitest";
import { bodyOf, toDeadBody, toWebhookRecord } from "../../../src/services/webhooks/record.js";
import type { JsonObject } from "../../../src/lib/json.js";

const BODY = {
  url: "https://example.com/hook",
  secret: "s",
  filter: { agentIds: ["a"], labelSelector: "zone=eu", capabilities: [], states: [1, 2] },
  resumeToken: "t",
  delivery: 7,
  deliveredCount: 6,
  deadCount: 1,
  failedAttempts: 0,
  lastError: "",
  createTime: 1_700_000_000_000.5,
  deliveryTime: null,
  replay: 0,
  owner: "",
  beat: 3,
};
const DEAD = { delivery: 7, eventCount: 2, attempts: 10, error: "500", deadTime: 1.5, resumeToken: "t" };

function stored(body: JsonObject) {
  return { kind: "webhook", namespace: "n", id: "w", revision: 4, body };
}

describe("a webhook's document", () => {
  it("is read as it was written, without what it does not say", () => {
    const record = toWebhookRecord(stored({ ...BODY, later: 1 }));
    expect(record).toEqual({ ...BODY, namespace: "n", webhookId: "w", revision: 4 });
    expect(bodyOf(record)).toEqual(BODY);
    expect(toWebhookRecord(stored({ ...BODY, deliveryTime: 5.5 })).deliveryTime).toBe(5.5);
    expect(toDeadBody(stored({ ...DEAD, later: 1 }))).toEqual(DEAD);
  });

  it.each<[string, JsonObject]>([
    ["webhook.url is not text", { url: null }],
    ["webhook.filter is not an object", { filter: "all" }],
    ["webhook.filter is not an object", { filter: null }],
    ["webhook.filter.agentIds is not a list", { filter: [] }],
    ["webhook.filter.agentIds is not a list", { filter: { ...BODY.filter, agentIds: { length: 0 } } }],
    ["webhook.filter.agentIds[1] is not text", { filter: { ...BODY.filter, agentIds: ["a", 1] } }],
    ["webhook.filter.states[0] is not a whole number", { filter: { ...BODY.filter, states: [0.5] } }],
    ["webhook.delivery is below zero", { delivery: -1 }],
    ["webhook.beat is not a whole number", { beat: 1e300 }],
    ["webhook.createTime is not a number", { createTime: "today" }],
    ["webhook.deliveryTime is not a number", { deliveryTime: "" }],
  ])("that is damaged is an error that names its key, because %s", (message, wrong) => {
    expect(failureOf(() => toWebhookRecord(stored({ ...BODY, ...wrong })))).toMatchObject({
      reason: "CORRUPT_RECORD",
      metadata: { key: "webhook/n/w" },
      cause: { message },
    });
  });

  it.each(Object.keys(BODY))("without %s is damaged", (field) => {
    const body = Object.fromEntries(Object.entries(BODY).filter(([key]) => key !== field));
    expect(failureOf(() => toWebhookRecord(stored(body)))).toMatchObject({ reason: "CORRUPT_RECORD" });
  });
});

function failureOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}
