/**
 * For those who test their own agents: a server in the test's own process, and expectations of what agents do. Works with every test
 * framework.
 *
 * @example
 * ```ts
 * import { State } from "ops-core";
 * import { expectTransition, startTestServer } from "ops-core/testing";
 *
 * await using server = await startTestServer();
 * const transition = expectTransition(server.client, "writer-1", [State.IDLE, State.ACTIVE, State.IDLE]);
 * await runMyAgent(server.baseUrl);
 * await transition;
 * ```
 *
 * @module
 */
export { expectTransition, TransitionError, type Transition, type TransitionOptions } from "./expect-transition.js";
export { startTestServer, type TestServer, type TestServerOptions } from "./test-server.js";
