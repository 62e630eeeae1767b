/** The watch that a webhook is. */
import { createContextValues, createHandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  StateService,
  type WatchStateRequest,
  type WatchStateResponse,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { toDuration } from "../wire/index.js";
import { callerKey } from "../caller.js";
import type { WebhookBody } from "./record.js";

export type WatchState = ServiceImpl<typeof StateService>["watchState"];

/** Said by a watch that has nothing to say, so that its token does not grow old; in milliseconds. */
const PROGRESS_MS = 30_000;

/**
 * Opens the watch of a webhook.
 *
 * @param signal ends it
 * @throws INVALID_FIELD, INVALID_RESUME_TOKEN; the watch itself fails as WatchState does
 */
export function openWatch(
  watchState: WatchState,
  namespace: string,
  { filter, resumeToken }: Pick<WebhookBody, "filter" | "resumeToken">,
  signal: AbortSignal,
): AsyncIterable<WatchStateResponse> {
  const request: WatchStateRequest = {
    $typeName: "opscore.v1.WatchStateRequest",
    agentIds: filter.agentIds,
    labelSelector: filter.labelSelector,
    capabilities: filter.capabilities,
    // The filter was read by the rules of the watch.
    states: filter.states,
    includeSnapshot: false,
    resumeToken,
    progressInterval: toDuration(PROGRESS_MS),
  };
  const method = StateService.method.watchState;
  const context = createHandlerContext({
    service: StateService,
    method,
    protocolName: "webhook",
    requestMethod: "POST",
    url: `https://webhook/${StateService.typeName}/${method.name}`,
    requestSignal: signal,
    contextValues: createContextValues().set(callerKey, { namespace, actor: "system:webhook" }),
  });
  // A handler answers with whole messages.
  return watchState(request, context) as AsyncIterable<WatchStateResponse>;
}
