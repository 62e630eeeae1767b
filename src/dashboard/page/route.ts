/** What the page shows, as it stands behind the `#` of its address. */
import { useEffect, useState } from "preact/hooks";

export type Route =
  | { readonly page: "agents" }
  | { readonly page: "agent"; readonly agentId: string }
  | { readonly page: "sessions" }
  | { readonly page: "session"; readonly sessionId: string };

/** @param hash with its `#`; one that says nothing means the agents */
export function parseRoute(hash: string): Route {
  const [page, id] = hash.replace(/^#\/?/, "").split("/").map(decode);
  if (page === "sessions") return id === undefined || id === "" ? { page } : { page: "session", sessionId: id };
  if (page === "agents" && id !== undefined && id !== "") return { page: "agent", agentId: id };
  return { page: "agents" };
}

export const agentLink = (agentId: string): string => `#/agents/${encodeURIComponent(agentId)}`;
export const sessionLink = (sessionId: string): string => `#/sessions/${encodeURIComponent(sessionId)}`;

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

/** What cannot be decoded stays as it is: nothing has that name. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
