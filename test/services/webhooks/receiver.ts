import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** One request as it came. */
export interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly message: {
    readonly kind: string;
    readonly resumeToken?: string;
    readonly events?: readonly WireEvent[];
    readonly states?: readonly WireEvent["state"][];
  };
}

interface WireEvent {
  readonly type: string;
  readonly state: { readonly agentId: string; readonly state: string; readonly revision: string };
}

/** Who a webhook is for: an HTTP server that answers as it is told. */
export class Receiver {
  readonly received: Received[] = [];
  /** What is answered; undefined: nothing, unless {@link answerLate} does. */
  answer: (request: Received) => number | undefined = () => 204;
  headers: Record<string, string> = {};
  /** How many requests were broken off by the other side. */
  cut = 0;
  private readonly unanswered: ServerResponse[] = [];
  private wake: (() => void) | undefined;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Receiver> {
    const receiver: Receiver = new Receiver(createServer((request, response) => void receiver.take(request, response)));
    await new Promise<void>((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      receiver.server.closeAllConnections();
      receiver.server.close();
    });
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`;
  }

  /** The events that came, in order: `agent STATE`. */
  get events(): string[] {
    return this.received.flatMap(({ message }) =>
      (message.events ?? []).map(({ state }) => `${state.agentId} ${state.state.replace("STATE_", "")}`),
    );
  }

  /** Answers when `isThere` holds of what came. */
  async until(isThere: (receiver: this) => boolean): Promise<void> {
    while (!isThere(this)) await new Promise<void>((resolve) => (this.wake = resolve));
  }

  /** Answers what was not answered so far. */
  answerLate(status: number): void {
    for (const response of this.unanswered.splice(0)) response.writeHead(status).end();
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    try {
      for await (const chunk of request) body += String(chunk);
    } catch {
      // Broken off before it was there as a whole.
      this.cut += 1;
      this.wake?.();
      return;
    }
    response.once("close", () => {
      if (response.writableFinished) return;
      this.cut += 1;
      this.wake?.();
    });
    const received = { headers: request.headers, body, message: JSON.parse(body) as Received["message"] };
    this.received.push(received);
    const status = this.answer(received);
    if (status === undefined) this.unanswered.push(response);
    else response.writeHead(status, this.headers).end();
    this.wake?.();
  }
}
