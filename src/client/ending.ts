/**
 * Something that ends once: a client, a watch, an agent. What an AbortSignal is to callers, without its warning when more than ten
 * listen: thousands of watches end with one client.
 */
export class Ending {
  private readonly listeners = new Set<() => void>();
  private over = false;

  /** A method, so that the compiler does not take the answer before an await for the answer after it. */
  hasEnded(): boolean {
    return this.over;
  }

  /** Ends it and tells everybody, in the order in which they asked. Harmless when it has ended. */
  end(): void {
    if (this.over) return;
    this.over = true;
    for (const listener of this.listeners) listener();
    this.listeners.clear();
  }

  /**
   * Calls `listener` when this ends; at once if it has.
   *
   * @returns stops listening
   */
  onEnd(listener: () => void): () => void {
    if (this.over) {
      listener();
      return () => undefined;
    }
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }
}
