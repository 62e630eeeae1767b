import type { Command } from "commander";
import {
  CreateWebhookResponseSchema,
  DeleteWebhookResponseSchema,
  GetWebhookResponseSchema,
  ListDeadDeliveriesResponseSchema,
  ListWebhooksResponseSchema,
  ReplayWebhookResponseSchema,
} from "../../../gen/opscore/v1/webhook_service_pb.js";
import { showDeleted, showItem, showList } from "../answers.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { EVENT_FILTER, LIMIT } from "../common-flags.js";
import { implementCall } from "../connection.js";
import { optional, repeated, required } from "../flags.js";
import { given } from "../given.js";
import { anyText, httpUrl, secretText } from "../readers.js";
import { printDeadDeliveries, printWebhook, printWebhooks } from "../views/webhooks.js";

const WEBHOOK_ID = required("webhook-id", "the webhook", anyText);

/** `opscore webhook`: watches that are sent to a URL. */
export function define(group: Command, host: Host): void {
  defineCreate(group.command("create"), host);
  defineList(group.command("list"), host);
  defineGet(group.command("get"), host);
  defineDelete(group.command("delete"), host);
  defineReplay(group.command("replay"), host);
  defineDeadDeliveries(group.command("dead-deliveries"), host);
}

function defineCreate(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Send what happens to a URL",
    details:
      "What is committed from now on is sent as signed POST requests, in order, until each was answered with 2xx. A secret that the server made is printed once.",
    examples: [
      ["opscore webhook create https://receiver.example/opscore", "everything in the namespace"],
      [
        "opscore webhook create https://receiver.example/opscore --id errors --selector env=prod --state error --secret @secret.txt",
        "what fails in production, and what recovers, signed with a secret of one's own",
      ],
    ],
    positionals: { url: required("receiver", "where to send: an http or https URL", httpUrl) },
    flags: {
      webhookId: optional("--id <webhook-id>", "the webhook; not given: the server makes an id", anyText),
      agentIds: repeated("--agent <agent-id>", "only this agent, which need not exist yet", anyText),
      ...EVENT_FILTER,
      secret: optional(
        "--secret <secret>",
        "what to sign with: as it is, from a file (@FILE), or from standard input (-); not given: the server makes one",
        secretText,
      ),
      resumeToken: optional(
        "--resume-token <token>",
        "begin after this token of a watch with the same filter",
        anyText,
      ),
    },
    async run(
      { url, webhookId, secret, resumeToken, agentIds, labelSelector, capabilities, states },
      { client, io, out, err, json, signal },
    ) {
      const filter = {
        agentIds: [...agentIds],
        capabilities: [...capabilities],
        states: [...states],
        ...given({ labelSelector }),
      };
      const request = { url, filter, ...given({ webhookId, secret, resumeToken }) };
      const answer = await client.webhooks.createWebhook(request, { signal });
      if (json) out.json(apiJson(CreateWebhookResponseSchema, answer));
      else if (answer.webhook !== undefined) {
        // What was typed is known already.
        printWebhook(out, answer.webhook, io.scheduler.now(), secret === undefined ? answer.secret : "");
        if (secret === undefined) err.line([{ text: "the secret is not told again", look: "dim" }]);
      }
      return undefined;
    },
  });
}

function defineList(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "List webhooks, and how far they have got",
    details: "In the order of their ids.",
    positionals: {},
    flags: { limit: LIMIT },
    async run({ limit }, context) {
      const { client, signal } = context;
      return showList(context, limit, {
        schema: ListWebhooksResponseSchema,
        field: "webhooks",
        none: "no webhooks",
        read: (page) => client.webhooks.listWebhooks(page, { signal }),
        print: printWebhooks,
      });
    },
  });
}

function defineGet(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Show one webhook, and how far it has got",
    positionals: { webhookId: WEBHOOK_ID },
    flags: {},
    async run({ webhookId }, context) {
      const { client, signal } = context;
      const answer = await client.webhooks.getWebhook({ webhookId }, { signal });
      return showItem(context, GetWebhookResponseSchema, answer, answer.webhook, printWebhook);
    },
  });
}

function defineDelete(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Remove a webhook",
    details:
      "A request that is on its way is not called back, and one more may begin within a second. What was given up is forgotten with it.",
    positionals: { webhookId: WEBHOOK_ID },
    flags: {},
    async run({ webhookId }, context) {
      const { client, signal } = context;
      const answer = await client.webhooks.deleteWebhook({ webhookId }, { signal });
      return showDeleted(context, DeleteWebhookResponseSchema, answer, webhookId);
    },
  });
}

function defineReplay(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Send again",
    details:
      "Everything after a token, under new numbers, in order; without one, what waits to be tried again, under its own. The server that sends takes notice within a second.",
    examples: [
      ["opscore webhook replay errors", "the receiver is there again: do not wait"],
      ["opscore webhook replay errors --resume-token TOKEN", "what was given up, and all that came after it"],
    ],
    positionals: { webhookId: WEBHOOK_ID },
    flags: {
      resumeToken: optional(
        "--resume-token <token>",
        "after this token: of a message that was sent, or of one that was given up",
        anyText,
      ),
    },
    async run({ webhookId, ...options }, context) {
      const { client, signal } = context;
      const answer = await client.webhooks.replayWebhook({ webhookId, ...given(options) }, { signal });
      return showItem(context, ReplayWebhookResponseSchema, answer, answer.webhook, printWebhook);
    },
  });
}

function defineDeadDeliveries(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "List the messages that were given up",
    details: "The oldest first; the last 1,000 are kept. Each has the token with which it can be sent again.",
    positionals: { webhookId: WEBHOOK_ID },
    flags: { limit: LIMIT },
    async run({ webhookId, limit }, context) {
      const { client, signal } = context;
      return showList(context, limit, {
        schema: ListDeadDeliveriesResponseSchema,
        field: "deadDeliveries",
        none: "no dead deliveries",
        read: (page) => client.webhooks.listDeadDeliveries({ webhookId, ...page }, { signal }),
        print: printDeadDeliveries,
      });
    },
  });
}
