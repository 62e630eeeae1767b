import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { PushStream, type PushSource } from "../../lib/push-source.js";
import type { Call } from "./call.js";
import { Outbox, schedule } from "./outbox.js";

type Answer = MessageInitShape<DescMessage>;
type Answers = AsyncIterable<Answer>;

/** Sends the answers of a streaming call, and ends the call after them. */
export function sendAnswers(call: Call, answers: Answers): void {
  if (isPushed(answers)) new Pusher(call, answers).start();
  else void new Puller(call, answers[Symbol.asyncIterator]()).run();
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
    this.call.onEnd(() => {
      this.source.cancel();
      this.answers.finish({ count: this.count, failure: undefined });
    });
    this.source.onReady(this.ready);
    this.flush();
  }

  flush(): void {
    this.scheduled = false;
    if (this.call.hasEnded) return;
    try {
      this.drain();
    } catch (thrown) {
      // What was taken before is still sent.
      this.outbox.flush();
      this.call.fail(thrown);
    }
  }

  private drain(): void {
    const { call, source, outbox } = this;
    const { codec } = call.route;
    let sent = 0;
    try {
      while (!outbox.isFull) {
        const message = source.take();
        if (message === undefined) break;
        const envelope = source.shared === true ? codec.encodeShared(message) : codec.encode(message);
        if (sent++ === 0) call.sendHeaders();
        outbox.add(envelope);
      }
    } finally {
      this.count += sent;
      if (sent > 0) call.sentMessages(sent);
    }
    outbox.flush();
    if (!source.done) return;
    this.answers.finish({ count: this.count, failure: source.failure });
    if (source.failure === undefined) call.succeed();
    else call.fail(source.failure);
  }

  private readonly ready = (): void => {
    if (this.scheduled || this.outbox.isFull) return;
    this.scheduled = true;
    schedule(this);
  };
}

/** Iterates over answers that are made one by one, at the pace of the client. */
class Puller {
  private readonly outbox: Outbox;
  private scheduled = false;
  private onDrain: (() => void) | undefined;

  constructor(
    private readonly call: Call,
    private readonly iterator: AsyncIterator<Answer>,
  ) {
    this.outbox = new Outbox(call.stream, () => this.onDrain?.());
  }

  async run(): Promise<void> {
    const { call, iterator, outbox } = this;
    call.onEnd(() => {
      this.onDrain?.();
      // An iterator that waits is told at once; a generator hears of it where it yields next.
      iterator.return?.().catch(ignore);
    });
    try {
      for (;;) {
        const result = await iterator.next();
        if (call.hasEnded) return;
        if (result.done === true) break;
        this.send(result.value);
        if (outbox.isFull) await new Promise<void>((resolve) => (this.onDrain = resolve));
      }
      outbox.flush();
      call.succeed();
    } catch (thrown) {
      outbox.flush();
      call.fail(thrown);
    }
  }

  flush(): void {
    this.scheduled = false;
    this.outbox.flush();
  }

  private send(answer: Answer): void {
    const { call, outbox } = this;
    const envelope = call.route.codec.encode(answer);
    call.sendHeaders();
    outbox.add(envelope);
    call.sentMessages(1);
    if (this.scheduled) return;
    this.scheduled = true;
    schedule(this);
  }
}

function ignore(): void {
  // The call is over: nobody is there to be told.
}
