import { useEffect, useMemo, useReducer } from "preact/hooks";
import { serverNow } from "../server-clock.js";
import type { LiveTable } from "./live-table.js";

/**
 * A table that is live as long as it is shown: while its tab is hidden it is stopped, so that tabs which nobody sees take none of the
 * few connections that a browser opens to one server.
 *
 * @param make what makes it; again when one of `inputs` has changed
 */
export function useLive<Entry extends { readonly type: string }, Row>(
  make: () => LiveTable<Entry, Row>,
  inputs: readonly unknown[],
): LiveTable<Entry, Row> {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const table = useMemo(make, inputs);
  useEffect(() => {
    const look = () => (document.hidden ? table.stop() : table.start());
    const unsubscribe = table.subscribe(() => redraw(undefined));
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      document.removeEventListener("visibilitychange", look);
      unsubscribe();
      table.stop();
    };
  }, [table]);
  return table;
}

/** The time of the server in milliseconds since 1970, anew every second, for what says how long something lasts. */
export function useNow(): number {
  const [now, tick] = useReducer(serverNow, serverNow());
  useEffect(() => {
    const timer = setInterval(tick, 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
