import type { Case } from "../case.js";
import type { ClientFields } from "../observation.js";
import type { Run } from "../run.js";

/** Makes the call of a case and tells what came of it. */
export type Client = (port: number, testCase: Case, run: Run) => Promise<ClientFields>;

/** Answers that arrive before they are asked for. */
export class AnswerQueue {
  /** Everything that came. */
  readonly all: string[] = [];
  private taken = 0;
  private ended = false;
  private wake: (() => void) | undefined;

  push(answer: string): void {
    this.all.push(answer);
    this.wake?.();
  }

  /** No more will come. */
  end(): void {
    this.ended = true;
    this.wake?.();
  }

  async next(): Promise<string | undefined> {
    while (this.taken === this.all.length) {
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return this.all[this.taken++];
  }
}

/** The headers of a case, with several values one by one. */
export function headerPairs({ headers = {} }: Case): [name: string, value: string][] {
  return Object.entries(headers).flatMap(([name, values]): [string, string][] =>
    typeof values === "string" ? [[name, values]] : values.map((value): [string, string] => [name, value]),
  );
}
