/** One run of one case against one server: what both of its sides share. */

/** Something that both sides of a call can wait for. Reached once, it stays reached. */
class Point {
  isReached = false;
  private resolve: () => void = () => undefined;
  readonly reached = new Promise<void>((resolve) => (this.resolve = resolve));

  reach(): void {
    this.isReached = true;
    this.resolve();
  }
}

export class Run {
  /** What either side found worth telling, in order. */
  readonly notes: string[] = [];
  private readonly points = new Map<string, Point>();

  note(text: string): void {
    this.notes.push(text);
  }

  reach(name: string): void {
    this.point(name).reach();
  }

  /** Answers when somebody reaches the point of this name. */
  when(name: string): Promise<void> {
    return this.point(name).reached;
  }

  hasReached(name: string): boolean {
    return this.point(name).isReached;
  }

  private point(name: string): Point {
    let point = this.points.get(name);
    if (point === undefined) this.points.set(name, (point = new Point()));
    return point;
  }
}
