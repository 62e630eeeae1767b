/**
 * The settings of how tasks are brought to agents that do not fetch them, and of what webhooks are sent: a part of the one table.
 */
import { duration, optionalText, secret, toggle, type Setting } from "./kinds.js";

export const DISPATCH_SETTINGS = {
  /** Where AgentKit is. */
  agentKitUrl: optionalText({
    env: "AGENTKIT_API_URL",
    flag: "agentkit-api-url",
    description:
      "Where AgentKit's API is, to bring tasks to its agents. Not set: a task for one of them fails, and says so.",
    pattern: /^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/,
    expects: "an http or https URL without query",
  }),
  /** What requests to agents' endpoints are signed with. */
  outboundSecret: secret({
    env: "OPSCORE_OUTBOUND_SECRET",
    flag: "outbound-secret",
    description:
      "The secret that requests to an agent's `contact_endpoint` are signed with. Not set: a task for such an agent fails, and says so.",
    pattern: /^[\x21-\x7e]{1,512}$/,
    expects: "1 to 512 visible ASCII characters without spaces",
  }),
  /** Whether such requests may go to addresses inside. */
  outboundAllowPrivate: toggle({
    env: "OPSCORE_OUTBOUND_ALLOW_PRIVATE",
    flag: "outbound-allow-private",
    default: false,
    description:
      "Let requests to addresses that callers chose (an agent's `contact_endpoint`, a webhook's URL) go to private, loopback and link-local addresses.",
  }),
  /** After how long another replica sends for a webhook, in milliseconds. */
  webhookTakeoverMs: duration({
    env: "OPSCORE_WEBHOOK_TAKEOVER",
    flag: "webhook-takeover",
    default: 15_000,
    min: 1_000,
    max: 600_000,
    description:
      "After how long without a sign of life of the replica that sends for a webhook another one takes over. The same on all replicas.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
