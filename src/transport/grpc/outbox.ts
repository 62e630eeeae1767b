import type { LaneStream } from "../lane.js";

/** A write is made as soon as so much is waiting for it. */
const WRITE_BYTES = 64 * 1024;

/** What writes to a stream. */
interface Writer {
  /** Writes what there is. Called once for each {@link schedule}. Must not throw. */
  flush(): void;
}

let due: Writer[] = [];

/**
 * Flushes a writer at the end of what runs now. All writers that became due together are flushed together, so that whatever
 * reaches a stream in one turn leaves in one write.
 */
export function schedule(writer: Writer): void {
  if (due.push(writer) === 1) process.nextTick(flushAll);
}

function flushAll(): void {
  const writers = due;
  due = [];
  for (const writer of writers) writer.flush();
}

/** Collects envelopes for one stream, and knows when the stream has had enough. */
export class Outbox {
  private waiting: Buffer[] = [];
  private bytes = 0;
  /** The client does not keep up: nothing is written before "drain". */
  private full = false;

  constructor(
    private readonly stream: LaneStream,
    onDrain: () => void,
  ) {
    stream.on("drain", () => {
      this.full = false;
      onDrain();
    });
  }

  /** Whether nothing may be added before "drain": also what was never written to may have to wait for other streams of its client. */
  get isFull(): boolean {
    return (this.full ||= !this.stream.askForRoom());
  }

  add(envelope: Buffer): void {
    this.waiting.push(envelope);
    this.bytes += envelope.length;
    if (this.bytes >= WRITE_BYTES) this.flush();
  }

  /** Hands what was added to the stream, in one piece. The headers must have been sent. */
  flush(): void {
    const { waiting, bytes } = this;
    const [first] = waiting;
    if (first === undefined) return;
    this.waiting = [];
    this.bytes = 0;
    if (this.stream.writableEnded) return;
    if (!this.stream.write(waiting.length === 1 ? first : Buffer.concat(waiting, bytes))) this.full = true;
  }
}
