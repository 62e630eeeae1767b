/**
 * Who the page is to its server: a key, kept as long as the tab is, and a namespace, which stands in the page's address so that it
 * can be sent to somebody else.
 */
import { createConnectTransport } from "@connectrpc/connect-web";
import { createOpsCoreClient, type OpsCoreClient } from "../../client/index.js";
import { readClock } from "./server-clock.js";

const NAMESPACE = "namespace";
export const DEFAULT_NAMESPACE = "default";
/** What the server takes for one; anything else could not even be sent. */
const IS_NAMESPACE = /^[A-Za-z0-9._:-]{1,128}$/;

/** A proxy may have other servers at the same address, below other paths, which must not get this one's key. */
const serverUrl = () => new URL(".", location.href);
const keyPlace = () => `opscore-api-key ${serverUrl().pathname}`;

export interface Access {
  readonly apiKey: string;
  readonly namespace: string;
}

export function currentAccess(): Access {
  const namespace = new URLSearchParams(location.search).get(NAMESPACE) ?? "";
  return {
    apiKey: sessionStorage.getItem(keyPlace()) ?? "",
    namespace: IS_NAMESPACE.test(namespace) ? namespace : DEFAULT_NAMESPACE,
  };
}

/** Keeps the access, and puts its namespace into the address; another one is a step from which there is a way back. */
export function keepAccess({ apiKey, namespace }: Access): void {
  sessionStorage.setItem(keyPlace(), apiKey);
  const url = new URL(location.href);
  if (namespace === DEFAULT_NAMESPACE) url.searchParams.delete(NAMESPACE);
  else url.searchParams.set(NAMESPACE, namespace);
  if (url.href !== location.href) history.pushState(undefined, "", url);
}

/** A client of the server that the page came from, whatever path a proxy has put before it. */
export function openClient({ apiKey, namespace }: Access): OpsCoreClient {
  const baseUrl = serverUrl().href;
  return createOpsCoreClient({
    baseUrl,
    transport: createConnectTransport({ baseUrl, useBinaryFormat: true, interceptors: [readClock] }),
    ...(apiKey !== "" && { apiKey }),
    ...(namespace !== DEFAULT_NAMESPACE && { namespace }),
  });
}
