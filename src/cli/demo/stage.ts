import { createOpsCoreClient, type OpsCoreClient } from "../../client/index.js";
import { loadConfig } from "../../config/index.js";
import { build } from "../../server.js";

/** A server of its own for a demonstration, and a client of it. */
export interface Stage extends AsyncDisposable {
  readonly url: string;
  readonly client: OpsCoreClient;
}

/** Starts a server on a free port, whatever the environment says: a demonstration is the same everywhere. */
export async function setStage(): Promise<Stage> {
  const server = await build(
    loadConfig({ flags: { host: "127.0.0.1", port: "0", logLevel: "silent", drainTimeout: "1s" } }),
  );
  try {
    const { url } = await server.listen();
    const client = createOpsCoreClient({ baseUrl: url });
    return {
      url,
      client,
      [Symbol.asyncDispose]: async () => {
        client.close();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}
