import { Code, ConnectError } from "@connectrpc/connect";

let ended: ConnectError | undefined;

/**
 * Why the signal of a call aborts that ended well. One for all of them, because making one for each would cost more than the call; and
 * not before somebody asks, because an error has headers, and the first of those has Node load all of fetch.
 */
export function callEnded(): ConnectError {
  return (ended ??= new ConnectError("the call has ended", Code.Canceled));
}
