/** Where a server is that was started without settings. */
export const DEFAULT_URL = "http://127.0.0.1:8080";

/** Which server a command talks to, for what it tells its user. */
export interface Target {
  readonly url: string;
  readonly namespace: string;
}
