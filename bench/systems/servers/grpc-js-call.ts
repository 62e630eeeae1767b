import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { createContextValues, type ConnectError, type ContextValues, type HandlerContext } from "@connectrpc/connect";
import type { ServerSurfaceCall } from "@grpc/grpc-js/build/src/server-call.js";
import type { CallInfo, Gate, HeaderReader, Passage } from "../../../src/interceptors/index.js";

/** A call as the gate and the services see it. What nobody here asks for is made when it is asked for. */
export class GrpcJsCall implements HandlerContext, CallInfo {
  readonly requestMethod = "POST";
  readonly protocolName = "grpc";
  readonly contextValues: ContextValues = createContextValues();
  readonly header: HeaderReader;
  private readonly passage: Passage;

  constructor(
    private readonly gate: Gate,
    readonly method: DescMethod,
    private readonly call: ServerSurfaceCall,
  ) {
    this.header = { get: (name) => call.metadata.get(name)[0]?.toString() ?? null };
    this.passage = gate.open(this);
  }

  get values(): ContextValues {
    return this.contextValues;
  }

  get service(): DescService {
    return this.method.parent;
  }

  get url(): string {
    return `http://${this.call.getPath()}`;
  }

  get requestHeader(): Headers {
    const headers = new Headers();
    for (const [name, value] of Object.entries(this.call.metadata.getMap())) headers.set(name, value.toString());
    return headers;
  }

  get responseHeader(): Headers {
    return new Headers();
  }

  get responseTrailer(): Headers {
    return new Headers();
  }

  get signal(): AbortSignal {
    const controller = new AbortController();
    this.call.on("cancelled", () => controller.abort());
    return controller.signal;
  }

  readonly timeoutMs = (): number | undefined => {
    const deadline = Number(this.call.getDeadline());
    return deadline === Infinity ? undefined : deadline - Date.now();
  };

  /** @throws OpsCoreError when the call may not go on */
  enter(request: Message | undefined): void {
    this.gate.admit(this.passage);
    if (request !== undefined) this.passage.gotMessage(request);
  }

  succeeded(): void {
    this.passage.succeeded();
  }

  failed(thrown: unknown): ConnectError {
    return this.passage.failed(thrown);
  }
}
