/**
 * The settings of what AgentKit sends: a part of the one table.
 */
import { secret, toggle, type Setting } from "./kinds.js";

export const WEBHOOK_SETTINGS = {
  /** What notifications are signed with. */
  webhookSecret: secret({
    env: "OPSCORE_WEBHOOK_SECRET",
    flag: "webhook-secret",
    description:
      "The secret that AgentKit signs its notifications with. Set: a notification needs a signature, and no key. Not set: it needs the API key.",
    pattern: /^[\x21-\x7e]{1,512}$/,
    expects: "1 to 512 visible ASCII characters without spaces",
  }),
  /** Whether notifications need neither signature nor key. */
  webhookInsecure: toggle({
    env: "OPSCORE_WEBHOOK_INSECURE",
    flag: "webhook-insecure",
    default: false,
    description: "Take notifications from everybody when there is no webhook secret, although there is an API key.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
