/**
 * Questions and answers between two processes, over Node's IPC channel. Both sides may ask.
 */
import { z } from "zod";

/** A process, or the process itself: whatever has the other end of a channel. */
interface Channel {
  send?(message: unknown): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
}

export type Handlers = Readonly<Record<string, (argument: unknown) => unknown>>;

const Wire = z.union([
  z.object({ ask: z.string(), id: z.number(), argument: z.unknown().optional() }),
  z.object({ answer: z.number(), value: z.unknown().optional() }),
  z.object({ failed: z.number(), message: z.string() }),
]);

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Link {
  private readonly asked = new Map<number, Asked>();
  private nextId = 1;
  private broken: Error | undefined;

  constructor(
    private readonly channel: Channel,
    private readonly handlers: Handlers = {},
  ) {
    channel.on("message", (message) => void this.receive(message));
    channel.on("disconnect", () => this.break(new Error("the other process has gone")));
  }

  /** @throws Error with the other side's message; or because it has gone */
  async ask<T>(question: string, result: z.ZodType<T>, argument?: unknown): Promise<T> {
    const answer = await new Promise<unknown>((resolve, reject) => {
      if (this.broken !== undefined) {
        reject(this.broken);
        return;
      }
      const id = this.nextId++;
      this.asked.set(id, { resolve, reject });
      this.channel.send?.({ ask: question, id, argument });
    });
    return result.parse(answer);
  }

  /** Fails what was asked and what will be. */
  break(error: Error): void {
    this.broken ??= error;
    for (const { reject } of this.asked.values()) reject(this.broken);
    this.asked.clear();
  }

  private async receive(message: unknown): Promise<void> {
    const wire = Wire.parse(message);
    if ("ask" in wire) {
      try {
        const handler = this.handlers[wire.ask];
        if (handler === undefined) throw new Error(`nobody answers ${wire.ask}`);
        this.channel.send?.({ answer: wire.id, value: await handler(wire.argument) });
      } catch (error) {
        this.channel.send?.({ failed: wire.id, message: error instanceof Error ? error.message : String(error) });
      }
      return;
    }
    const id = "answer" in wire ? wire.answer : wire.failed;
    const asked = this.asked.get(id);
    this.asked.delete(id);
    if ("answer" in wire) asked?.resolve(wire.value);
    else asked?.reject(new Error(wire.message));
  }
}
