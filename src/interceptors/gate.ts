/**
 * What every call passes on its way in and out, whichever lane it came by: stop, auth, limits, error mapping, counters, log.
 *
 * Nothing here waits, so a lane may pass a call through in one turn. A lane opens a {@link Passage} for every call, has it
 * admitted before the handler runs, tells it which messages it saw, and ends it exactly as the call ended.
 */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { Health } from "../../gen/health/v1/health_pb.js";
import { StateService } from "../../gen/opscore/v1/state_service_pb.js";
import { serverStopping } from "../errors/index.js";
import { callerKey } from "../services/caller.js";
import type { Authenticate } from "./auth.js";
import type { CallInfo } from "./call.js";
import { toConnectError } from "./errors.js";
import type { OpenCallLimit } from "./limits.js";
import type { CallLog } from "./logging.js";
import { CallMetrics, type MethodMetrics } from "./metrics.js";

export interface GateParts {
  readonly authenticate: Authenticate;
  readonly openCalls: OpenCallLimit;
  readonly log: CallLog;
}

export class Gate {
  readonly metrics = new CallMetrics((method) => !staysOpen(method));
  private stopping = false;

  constructor(private readonly parts: GateParts) {}

  /** From now on every new call is refused with SERVER_STOPPING; health checks go on. */
  stop(): void {
    this.stopping = true;
  }

  /** A call has come in. */
  open(call: CallInfo): Passage {
    return new Passage(call, this.parts.log, this.metrics.of(call.method));
  }

  /**
   * Lets a call in, and leaves its caller for the handler.
   *
   * @param authenticate finds out who calls; default: by the key
   * @throws OpsCoreError when it may not go on: SERVER_STOPPING, CREDENTIALS_MISSING, CREDENTIALS_INVALID, INVALID_FIELD, TOO_MANY
   */
  admit(passage: Passage, authenticate: Authenticate = this.parts.authenticate): void {
    const { call } = passage;
    const { openCalls } = this.parts;
    // A balancer that cannot ask sends no work here, or all of it: health is for everybody, always.
    if (call.method.parent.typeName === Health.typeName) return;
    if (this.stopping) throw serverStopping();
    call.contextValues.set(callerKey, authenticate(call.header));
    if (staysOpen(call.method)) {
      openCalls.acquire();
      passage.slot = openCalls;
    }
  }
}

/** Whether a call lasts as long as its client likes. */
function staysOpen(method: DescMethod): boolean {
  return method.methodKind !== "unary" || method === StateService.method.waitForState;
}

/** One call on its way through. It ends once; what is said of it after that does not count. */
export class Passage {
  /** What the call holds until it ends. */
  slot: OpenCallLimit | undefined;
  private request: Message | undefined;
  private received = 0;
  private sent = 0;
  private over = false;
  private readonly since = performance.now();

  constructor(
    readonly call: CallInfo,
    private readonly log: CallLog,
    private readonly metrics: MethodMetrics,
  ) {
    metrics.open += 1;
  }

  /** A request message was read. */
  gotMessage(message: Message): void {
    this.received += 1;
    this.request ??= message;
  }

  /** Response messages were handed out. */
  sentMessages(count: number): void {
    this.sent += count;
  }

  /** The call ended well. */
  succeeded(): void {
    this.end(undefined);
  }

  /**
   * The call failed.
   *
   * @param thrown whatever the handler threw, or the refusal
   * @returns what to tell the caller
   */
  failed(thrown: unknown): ConnectError {
    const error = toConnectError(thrown, (errorId, defect) => this.log.defect(errorId, defect, this.call));
    this.end(error);
    return error;
  }

  /** The client went away. */
  cancelled(): void {
    if (!this.over) this.end(new ConnectError("the client went away", Code.Canceled));
  }

  private end(error: ConnectError | undefined): void {
    if (this.over) return;
    this.over = true;
    this.slot?.release();
    const { call, request, received, sent } = this;
    const durationMs = performance.now() - this.since;
    const counts = call.method.methodKind === "unary" ? undefined : { received, sent };
    this.metrics.end(error?.code ?? 0, durationMs);
    this.log.ended({ call, request, durationMs, counts, error });
  }
}
