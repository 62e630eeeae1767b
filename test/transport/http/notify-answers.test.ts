/** The route of notifications, and every way to be refused by it, as a table of requests and exact answers. */
import { describe } from "vitest";
import { aNotification, NOTIFY } from "./harness.js";
import { registered, fault, faults, missing, notText, useServer } from "./answers.js";

const { expectAll } = useServer();

describe("POST …/notify", () => {
  const place = (...loc: (string | number)[]) => ["body", "agent_details", ...loc];
  expectAll([
    ["registers", NOTIFY, { body: aNotification("n-1") }, 200, registered("n-1")],
    ["again", NOTIFY, { body: aNotification("n-1") }, 200, registered("n-1")],
    ["whatever the case", NOTIFY, { body: aNotification("n-2", {}, "Register") }, 200, registered("n-2")],
    [
      "with everything",
      NOTIFY,
      { body: aNotification("n-3", { capabilities: ["b", "a", "", "a"], metadata: { x: [1] } }) },
      200,
      registered("n-3"),
    ],
    [
      "with null for metadata and fields that nobody knows",
      NOTIFY,
      { body: { ...aNotification("n-4", { metadata: null, registrationTime: 1.5 }), more: {} } },
      200,
      registered("n-4"),
    ],
    [
      "deregisters",
      NOTIFY,
      { body: aNotification("n-1", {}, "DEREGISTER") },
      200,
      '{"status":"success","message":"Agent n-1 deregistered successfully."}',
    ],
    [
      "deregisters who is not there",
      NOTIFY,
      { body: aNotification("n-1", {}, "deregister") },
      200,
      '{"status":"success","message":"Agent n-1 deregistered successfully."}',
    ],
    [
      "refuses other events",
      NOTIFY,
      { body: aNotification("n-1", {}, "UPDATE") },
      400,
      '{"detail":"Unknown event type: UPDATE"}',
    ],
    ["refuses an empty id", NOTIFY, { body: aNotification("") }, 400, '{"detail":"Agent ID must not be empty"}'],
    ["wants its fields", NOTIFY, { body: {} }, 422, faults(missing("event_type"), missing("agent_details"))],
    [
      "wants the fields of its details",
      NOTIFY,
      { body: { event_type: "REGISTER", agent_details: {} } },
      422,
      faults(
        missing("agent_details", "agentId"),
        missing("agent_details", "agentName"),
        missing("agent_details", "version"),
        missing("agent_details", "contactEndpoint"),
      ),
    ],
    [
      "wants an object of details",
      NOTIFY,
      { body: { event_type: 1, agent_details: [] } },
      422,
      faults(
        notText("event_type"),
        fault(place(), "Input should be a valid dictionary or object to extract fields from", "model_attributes_type"),
      ),
    ],
    [
      "wants a list of capabilities",
      NOTIFY,
      { body: aNotification("n", { capabilities: "a" }) },
      422,
      faults(fault(place("capabilities"), "Input should be a valid list", "list_type")),
    ],
    [
      "wants capabilities that are words",
      NOTIFY,
      { body: aNotification("n", { capabilities: ["a", 1, null] }) },
      422,
      faults(notText("agent_details", "capabilities", 1), notText("agent_details", "capabilities", 2)),
    ],
    [
      "wants short capabilities",
      NOTIFY,
      { body: aNotification("n", { capabilities: ["a", "x".repeat(129)] }) },
      422,
      faults(fault(place("capabilities", 1), "Value error, must be 1 to 128 characters", "value_error")),
    ],
    [
      "wants an object of metadata",
      NOTIFY,
      { body: aNotification("n", { metadata: [] }) },
      422,
      faults(fault(place("metadata"), "Input should be a valid dictionary", "dict_type")),
    ],
    [
      "wants a URL",
      NOTIFY,
      { body: aNotification("n", { contactEndpoint: "agent:9000" }) },
      422,
      faults(fault(place("contactEndpoint"), "Value error, must be an absolute http or https URL", "value_error")),
    ],
    [
      "wants a URL that is not empty",
      NOTIFY,
      { body: aNotification("n", { contactEndpoint: "" }) },
      422,
      faults(fault(place("contactEndpoint"), "Input should be a valid URL, input is empty", "url_parsing")),
    ],
    [
      "wants an id that an agent can have",
      NOTIFY,
      { body: aNotification("a b") },
      422,
      faults(fault(place("agentId"), "Value error, must be 1 to 128 characters of [A-Za-z0-9._:-]", "value_error")),
    ],
    [
      "names one fault of each field",
      NOTIFY,
      { body: aNotification("a b", { agentName: "x".repeat(256) }) },
      422,
      faults(
        fault(place("agentId"), "Value error, must be 1 to 128 characters of [A-Za-z0-9._:-]", "value_error"),
        fault(place("agentName"), "Value error, must be at most 255 characters", "value_error"),
      ),
    ],
  ]);
});
