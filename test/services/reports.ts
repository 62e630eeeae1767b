/** A stream of reports, and its answers. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { State } from "../../gen/opscore/v1/common_pb.js";
import {
  ReportStatesRequestSchema,
  type ReportStatesRequest,
  type ReportStatesResponse,
  type SetStateRequestSchema,
} from "../../gen/opscore/v1/state_service_pb.js";
import type { Harness, Outbox } from "./harness.js";

type Report = MessageInitShape<typeof SetStateRequestSchema>;
/** What the caller sends. */
export type Request = MessageInitShape<typeof ReportStatesRequestSchema>;

export const report = (agentId: string, state: State, more: Report = {}): Request => ({
  report: { agentId, state, ...more },
});

/** Opens the stream. What it returns takes one answer. */
export function open(harness: Harness, outbox: Outbox<Request>): () => Promise<IteratorResult<ReportStatesResponse>> {
  const answers = harness.states.reportStates(outbox)[Symbol.asyncIterator]();
  return () => answers.next();
}

/** All answers. */
export async function collect(harness: Harness, outbox: Outbox<Request>): Promise<ReportStatesResponse[]> {
  const answers: ReportStatesResponse[] = [];
  for await (const answer of harness.states.reportStates(outbox)) answers.push(answer);
  return answers;
}

/** Requests as they arrive at the service. */
export async function* requestsOf(requests: AsyncIterable<Request>): AsyncGenerator<ReportStatesRequest> {
  for await (const request of requests) yield create(ReportStatesRequestSchema, request);
}

/** An answer on one line. */
export function summary({ index, result }: ReportStatesResponse): string {
  const what = result.case === "accepted" ? State[result.value.state?.state ?? 0] : result.value?.reason;
  return `${index} ${result.case} ${what}`;
}

/** Lets everything that is ready run: what is asserted after it did not happen, rather than not yet. */
export const idle = () => new Promise((resolve) => setImmediate(resolve));
