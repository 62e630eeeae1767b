/** Who listens to what, typed by a map from event to what listeners are told. */
export class Listeners<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<(told: never) => void>>();

  /** @returns stops listening */
  on<Event extends keyof Events>(event: Event, listener: (told: Events[Event]) => void): () => void {
    const listeners = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Tells everybody. One that throws harms neither the others nor the caller: its error is reported as uncaught. */
  emit<Event extends keyof Events>(event: Event, told: Events[Event]): void {
    for (const listener of this.listeners.get(event) ?? []) {
      try {
        listener(told as never);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
