import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { PushStream, type PushSource } from "../../lib/push-source.js";
import type { Call } from "./call.js";
import { Outbox, schedule } from "./outbox.js";

type Answers = AsyncIterable<MessageInitShape<DescMessage>>;

/** Sends the answers of a streaming call, and ends the call after them. */
export function sendAnswers(call: Call, answers: Answers): void {
  if (isPushed(answers)) new Pusher(call, answers).start();
  else void pull(call, answers);
}

/** A service that pushes makes whole messages. */
function isPushed(answers: Answers): answers is PushStream<Message> {
  return answers instanceof PushStream;
}

/** Drains a push source into a stream, without a promise. */
class Pusher {
  private readonly outbox: Outbox;
  private readonly source: PushSource<Message>;
  private scheduled = false;
  private count = 0;

  constructor(
    private readonly call: Call,
    private readonly answers: PushStream<Message>,
  ) {
    this.source = answers.source;
    this.outbox = new Outbox(call.stream, this.ready);
  }

  start(): void {
    this.call.onEnd = () => {
      this.source.cancel();
      this.answers.finish({ count: this.count, failure: undefined });
    };
    if (this.call.hasEnded) {
      this.call.onEnd();
      return;
    }
    this.source.onReady(this.ready);
    this.flush();
  }

  flush(): void {
    this.scheduled = false;
    const { call, source, outbox } = this;
    if (call.hasEnded) return;
    try {
      let sent = 0;
      while (!outbox.isFull) {
        const message = source.take();
        if (message === undefined) break;
        if (sent++ === 0) call.sendHeaders();
        outbox.add(call.route.codec.encodeShared(message));
      }
      outbox.write();
      this.count += sent;
      if (sent > 0) call.sentMessages(sent);
      if (!source.done) return;
      this.answers.finish({ count: this.count, failure: source.failure });
      if (source.failure === undefined) call.succeed();
      else call.fail(source.failure);
    } catch (thrown) {
      call.fail(thrown);
    }
  }

  private readonly ready = (): void => {
    if (this.scheduled || this.outbox.isFull) return;
    this.scheduled = true;
    schedule(this);
  };
}

/** Iterates over answers that are made one by one, at the pace of the client. */
async function pull(call: Call, answers: Answers): Promise<void> {
  let drained: (() => void) | undefined;
  const outbox = new Outbox(call.stream, () => drained?.());
  const iterator = answers[Symbol.asyncIterator]();
  call.onEnd = () => drained?.();
  try {
    for (;;) {
      const result = await iterator.next();
      if (call.hasEnded) break;
      if (result.done === true) {
        call.succeed();
        return;
      }
      call.sendHeaders();
      outbox.add(call.route.codec.encode(result.value));
      outbox.write();
      call.sentMessages(1);
      if (outbox.isFull) await new Promise<void>((resolve) => (drained = resolve));
    }
    await iterator.return?.();
  } catch (thrown) {
    call.fail(thrown);
  }
}
