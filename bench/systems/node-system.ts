import { z } from "zod";
import { NodeProcess } from "../harness/node-process.js";
import type { Memory, ServerOptions, SystemName } from "../scenario.js";
import { HOST } from "./daemon.js";
import { startRedis } from "./redis.js";
import type { System } from "./system.js";

/** The garbage is collected before memory is read; and a million agents fit. */
const FLAGS = ["--expose-gc", "--max-old-space-size=12288"];

/** What a process says of its memory; see {@link Memory}. */
export const MemoryAnswer: z.ZodType<Memory> = z.object({ resident: z.number(), live: z.number().optional() });

/** What a server process is told. */
export const ServeOptions = z.object({
  host: z.string(),
  system: z.string(),
  agents: z.number().optional(),
  transitions: z.number().optional(),
  leaseTtlMs: z.number().optional(),
  /** Where the state is kept; undefined: in memory. */
  redisUrl: z.string().optional(),
});
export type ServeOptions = z.infer<typeof ServeOptions>;

/** A system that is a module of `bench/systems/servers`, in a process of its own. */
export function nodeSystem(name: SystemName, title: string, module: string): System {
  return {
    name,
    title,
    missing: () => undefined,
    async start({ storage = "memory", replicas = 1, ...filling }: ServerOptions) {
      // On the core of the load, which does the least of the three.
      const redis = storage === "redis" ? await startRedis("load") : undefined;
      const servers: NodeProcess[] = [];
      const stop = async (): Promise<void> => {
        await Promise.all(servers.map((server) => server.stop()));
        await redis?.stop();
      };
      const serve = async (options: ServerOptions): Promise<number> => {
        const server = NodeProcess.start(new URL(`servers/${module}.js`, import.meta.url), "server", {}, FLAGS);
        servers.push(server);
        const redisUrl = redis === undefined ? undefined : `redis://${HOST}:${redis.port}`;
        return server.link.ask("serve", z.number(), { ...options, system: name, host: HOST, redisUrl });
      };
      try {
        const ports = [await serve(filling)];
        // The others find what the first one was filled with.
        for (let replica = 1; replica < replicas; replica += 1) ports.push(await serve({}));
        const [first] = servers;
        if (first === undefined) throw new Error("there is no server");
        return {
          host: HOST,
          ports,
          pid: first.pid,
          memory: () => first.link.ask("memory", MemoryAnswer),
          stop,
        };
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}
