import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { OpsCoreClient } from "../../client/index.js";
import type { Access } from "./access.js";

/** The server that the page shows, and who the page is to it. */
export interface ServerLink {
  readonly client: OpsCoreClient;
  readonly access: Access;
  /** Begins anew as somebody else, or in another namespace. */
  readonly change: (access: Access) => void;
}

export const Server = createContext<ServerLink | undefined>(undefined);

export function useServer(): ServerLink {
  const link = useContext(Server);
  if (link === undefined) throw new Error("not within the page");
  return link;
}
