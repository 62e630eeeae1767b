import type { Target } from "../scenario.js";
import { Connections } from "./connections.js";
import type { Connection } from "./http2/connection.js";
import type { Stream } from "./http2/stream.js";

/** One ReportStates stream with a fixed number of reports in flight. */
export class ReportLoop {
  private stream: Stream | undefined;
  private sent = 0;
  private answered = 0;
  private wanted = 0;
  private finish: (() => void) | undefined;

  private constructor(
    private readonly connection: Connection,
    private readonly inFlight: number,
    private readonly report: (sequence: number) => Uint8Array,
  ) {}

  /** @param report makes the report with a sequence, which begins at 1 */
  static async open(target: Target, inFlight: number, report: (sequence: number) => Uint8Array): Promise<ReportLoop> {
    const connections = await Connections.open(target, 1);
    return new ReportLoop(connections.for(0), inFlight, report);
  }

  /** Sends reports for a time, and waits for every answer. @returns how many came */
  async forSeconds(seconds: number): Promise<number> {
    const timer = setTimeout(() => (this.wanted = this.sent), seconds * 1000);
    try {
      return await this.run(Infinity);
    } finally {
      clearTimeout(timer);
    }
  }

  times(count: number): Promise<number> {
    return this.run(this.sent + count);
  }

  close(): void {
    this.connection.close();
  }

  private async run(wanted: number): Promise<number> {
    this.wanted = wanted;
    const before = this.answered;
    await new Promise<void>((resolve) => {
      this.finish = resolve;
      this.fill();
    });
    return this.answered - before;
  }

  private fill(): void {
    while (this.sent < this.wanted && this.sent - this.answered < this.inFlight) this.send();
    if (this.answered === this.wanted) this.finish?.();
  }

  private send(): void {
    this.sent += 1;
    const message = this.report(this.sent);
    if (this.stream !== undefined) {
      this.connection.write(this.stream, message);
      return;
    }
    this.stream = this.connection.call("/opscore.v1.StateService/ReportStates", message, false, {
      message: (bytes, start, end) => {
        if (!isAccepted(bytes, start, end)) throw new Error(`report ${this.answered + 1} was not a change`);
        this.answered += 1;
        this.fill();
      },
      ended: () => {
        throw new Error("the stream of reports ended");
      },
    });
  }
}

/** `accepted` with `changed: true` as its last field; a failure ends in text. */
function isAccepted(bytes: Buffer, start: number, end: number): boolean {
  return end - start > 2 && bytes[end - 2] === 0x10 && bytes[end - 1] === 0x01;
}
