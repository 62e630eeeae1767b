/** Pieces that handlers of several cases are made of. */
import type { BytesValue } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { codeName } from "../../../../src/interceptors/index.js";
import type { PushSource } from "../../../../src/lib/push-source.js";
import { PushStream } from "../../../../src/lib/push-source.js";
import type { Served } from "../case.js";
import { message, textOf } from "../service.js";

/** Answers in a later turn of the event loop. */
export function later(content: string): Promise<BytesValue> {
  return new Promise((resolve) => setImmediate(resolve, message(content)));
}

/** Answers after some turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export async function* several(...contents: readonly string[]): AsyncGenerator<BytesValue> {
  for (const content of contents) yield await Promise.resolve(message(content));
}

/** Answers when the call's signal is aborted, and notes why. */
export async function noteAbort(call: Served): Promise<void> {
  const signal = call.signal();
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  call.run.note(`aborted: ${reasonText(signal.reason)}`);
  call.run.reach("aborted");
}

/** Says that it has begun, and answers when the call's signal is aborted. */
export async function begunAndAborted(call: Served): Promise<void> {
  // Before anybody hears of it: a client that leaves then does it while somebody looks.
  const aborted = noteAbort(call);
  call.run.reach("begun");
  await aborted;
}

function reasonText(reason: unknown): string {
  if (reason instanceof ConnectError) return codeName(reason.code);
  return String(reason);
}

/** Sends back what comes, and notes how that ended. */
export async function* echoUntilLeft({ messages, run }: Served): AsyncGenerator<BytesValue> {
  try {
    for await (const each of messages) yield each;
    run.note("ended");
  } catch (thrown) {
    run.note(`failed: ${codeName(ConnectError.from(thrown).code)}`);
    throw thrown;
  } finally {
    run.reach("left");
  }
}

/** Never answers. */
export function never(): Promise<never> {
  return new Promise(() => undefined);
}

export async function readAll({ messages }: Served): Promise<string[]> {
  const texts: string[] = [];
  for await (const each of messages) texts.push(textOf(each));
  return texts;
}

/** A push source that gives what it was made with, in one turn, and then ends as it was told. */
export class ListSource implements PushSource<BytesValue> {
  private cancelled = false;

  constructor(
    private readonly contents: string[],
    private readonly end: { readonly failure?: unknown; readonly stays?: boolean } = {},
    private readonly onCancel: () => void = () => undefined,
  ) {}

  get failure(): unknown {
    return this.cancelled ? undefined : this.end.failure;
  }

  get done(): boolean {
    return this.cancelled || (this.contents.length === 0 && this.end.stays !== true);
  }

  take(): BytesValue | undefined {
    const content = this.contents.shift();
    return content === undefined ? undefined : message(content);
  }

  onReady(): void {
    // All there is is there from the start.
  }

  cancel(): void {
    this.cancelled = true;
    this.contents.length = 0;
    this.onCancel();
  }
}

export function pushed(call: Served, source: PushSource<BytesValue>): PushStream<BytesValue> {
  return new PushStream(source, () => call.signal());
}
