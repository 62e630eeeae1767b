import { createClient, type Client, type Transport } from "@connectrpc/connect";
import type { Health } from "../../../gen/health/v1/health_pb.js";
import type { WebhookService } from "../../../gen/opscore/v1/webhook_service_pb.js";
import type { WorkflowService } from "../../../gen/opscore/v1/workflow_service_pb.js";

/*
 * The services that an agent, a watch or a wait never needs. Reading their definitions is a twelfth of what importing the client costs,
 * so they are loaded with the first call. Their methods are spelled out: what the definitions would say is not known before.
 */

export function lazyWorkflows(transport: Transport): Client<typeof WorkflowService> {
  const load = once(async () => {
    const { WorkflowService } = await import("../../../gen/opscore/v1/workflow_service_pb.js");
    return createClient(WorkflowService, transport);
  });
  return {
    putWorkflow: async (...call) => (await load()).putWorkflow(...call),
    getWorkflow: async (...call) => (await load()).getWorkflow(...call),
    listWorkflows: async (...call) => (await load()).listWorkflows(...call),
    deleteWorkflow: async (...call) => (await load()).deleteWorkflow(...call),
    triggerWorkflow: async (...call) => (await load()).triggerWorkflow(...call),
    cancelWorkflow: async (...call) => (await load()).cancelWorkflow(...call),
  };
}

export function lazyWebhooks(transport: Transport): Client<typeof WebhookService> {
  const load = once(async () => {
    const { WebhookService } = await import("../../../gen/opscore/v1/webhook_service_pb.js");
    return createClient(WebhookService, transport);
  });
  return {
    createWebhook: async (...call) => (await load()).createWebhook(...call),
    getWebhook: async (...call) => (await load()).getWebhook(...call),
    listWebhooks: async (...call) => (await load()).listWebhooks(...call),
    deleteWebhook: async (...call) => (await load()).deleteWebhook(...call),
    replayWebhook: async (...call) => (await load()).replayWebhook(...call),
    listDeadDeliveries: async (...call) => (await load()).listDeadDeliveries(...call),
  };
}

export function lazyHealth(transport: Transport): Client<typeof Health> {
  const load = once(async () => {
    const { Health } = await import("../../../gen/health/v1/health_pb.js");
    return createClient(Health, transport);
  });
  return {
    check: async (...call) => (await load()).check(...call),
    list: async (...call) => (await load()).list(...call),
    watch: async function* (...call) {
      yield* (await load()).watch(...call);
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
