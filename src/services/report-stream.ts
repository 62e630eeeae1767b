import type {
  ReportFailure,
  ReportStatesRequest,
  ReportStatesResponse,
  SetStateRequest,
  SetStateResponse,
} from "../../gen/opscore/v1/state_service_pb.js";
import { GrpcCode, invalidFields, serverStopping, toOpsCoreError } from "../errors/index.js";
import { isPromise, type Awaitable } from "../lib/awaitable.js";
import { isPushIterable, type PushSink } from "../lib/push-sink.js";
import type { PushSource } from "../lib/push-source.js";
import { AnswerQueue, type Slot } from "./answer-queue.js";
import type { Limits } from "./limits.js";
import { jsonBytes } from "./validation/index.js";

export interface ReportStreamOptions {
  /** Takes one report; answers at once when nothing needs to be awaited. */
  readonly apply: (report: SetStateRequest) => Awaitable<SetStateResponse>;
  readonly limits: Pick<Limits, "unansweredReports" | "unansweredBytes">;
  /** Told of every failure that is not an OpsCoreError. */
  readonly onDefect: (errorId: string, thrown: unknown) => void;
  /** Called once, when nothing more will be read. */
  readonly onEnd?: () => void;
}

/** What a report takes apart from its text and its free data, roughly. */
const REPORT_BYTES = 512;

/**
 * One stream of reports and their answers. Reports go in with {@link receive}, answers come out with {@link take}.
 *
 * A report is applied when it comes, without waiting for the one before, so one that is held delays the answers behind it but
 * not their reports. While too much is unanswered there is no room for more, which is what slows a caller down.
 */
export class ReportStream implements PushSink<ReportStatesRequest>, PushSource<ReportStatesResponse> {
  /** Why the stream ended, told after the last answer. */
  failure: unknown = undefined;

  private readonly answers: AnswerQueue<ReportStatesResponse>;
  private received = 0;
  private ended = false;
  /** The reader found nothing and waits for the ready callback. */
  private starved = false;
  private ready: (() => void) | undefined;
  /** The caller was told that there is no room. */
  private full = false;
  private room: (() => void) | undefined;

  constructor(private readonly options: ReportStreamOptions) {
    this.answers = new AnswerQueue(options.limits.unansweredReports, options.limits.unansweredBytes);
  }

  /** No report is taken any more; those that were taken are still answered. */
  get isEnded(): boolean {
    return this.ended;
  }

  get done(): boolean {
    return this.ended && this.answers.isEmpty;
  }

  /** Applies one report and keeps its place among the answers. */
  receive({ report }: ReportStatesRequest): boolean {
    if (this.ended) return false;
    const index = this.received++;
    const slot = this.answers.append();
    try {
      if (report === undefined) throw invalidFields([{ field: "report", description: "must be set" }]);
      const outcome = this.options.apply(report);
      this.answers.weigh(slot, bytesOf(report));
      if (isPromise(outcome)) {
        outcome.then(
          (accepted) => this.settle(slot, toAnswer(index, { case: "accepted", value: accepted })),
          (error: unknown) => this.settle(slot, toAnswer(index, { case: "failed", value: this.toFailure(error) })),
        );
      } else {
        this.settle(slot, toAnswer(index, { case: "accepted", value: outcome }));
      }
    } catch (error) {
      this.settle(slot, toAnswer(index, { case: "failed", value: this.toFailure(error) }));
    }
    this.full = this.answers.isFull;
    return !this.full;
  }

  onRoom(callback: () => void): void {
    this.room = callback;
  }

  /** Takes no more reports. The first end counts. */
  end(failure?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = failure;
    this.options.onEnd?.();
    this.room?.();
    this.wake();
  }

  /** The server stops: what was received is answered, then the caller is told. */
  stop(): void {
    this.end(serverStopping());
  }

  take(): ReportStatesResponse | undefined {
    const answer = this.answers.shift();
    if (answer === undefined) {
      this.starved = true;
    } else if (this.full && !this.answers.isFull) {
      this.full = false;
      this.room?.();
    }
    return answer;
  }

  onReady(ready: () => void): void {
    this.ready = ready;
  }

  /** Reports that were received stay applied; nobody hears what became of them. */
  cancel(): void {
    this.answers.clear();
    this.end();
  }

  private settle(slot: Slot<ReportStatesResponse>, answer: ReportStatesResponse): void {
    slot.answer = answer;
    this.wake();
  }

  private wake(): void {
    if (!this.starved || !(this.answers.isReady || this.done)) return;
    this.starved = false;
    this.ready?.();
  }

  private toFailure(thrown: unknown): ReportFailure {
    const { code, reason, message, metadata } = toOpsCoreError(thrown, this.options.onDefect);
    return { $typeName: "opscore.v1.ReportFailure", code: GrpcCode[code], reason, message, metadata };
  }
}

/** Feeds a stream from its caller, until either has enough. What goes wrong ends the stream. */
export function feed(stream: ReportStream, requests: AsyncIterable<ReportStatesRequest>): void {
  if (isPushIterable(requests)) requests.pushTo(stream);
  else void pull(stream, requests);
}

async function pull(stream: ReportStream, requests: AsyncIterable<ReportStatesRequest>): Promise<void> {
  let goOn: (() => void) | undefined;
  stream.onRoom(() => goOn?.());
  try {
    for await (const request of requests) {
      if (!stream.receive(request) && !stream.isEnded) await new Promise<void>((resolve) => (goOn = resolve));
      if (stream.isEnded) break;
    }
    stream.end();
  } catch (error) {
    stream.end(error);
  }
}

function toAnswer(index: number, result: ReportStatesResponse["result"]): ReportStatesResponse {
  return { $typeName: "opscore.v1.ReportStatesResponse", index: BigInt(index), result };
}

function bytesOf({ message, details }: SetStateRequest): number {
  return REPORT_BYTES + message.length + (details === undefined ? 0 : jsonBytes(details));
}
