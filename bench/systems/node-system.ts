import { z } from "zod";
import { NodeProcess } from "../harness/node-process.js";
import type { Memory, ServerOptions, SystemName } from "../scenario.js";
import type { System } from "./system.js";

const HOST = "127.0.0.1";
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
});
export type ServeOptions = z.infer<typeof ServeOptions>;

/** A system that is a module of `bench/systems/servers`, in a process of its own. */
export function nodeSystem(name: SystemName, title: string, module: string): System {
  return {
    name,
    title,
    missing: () => undefined,
    async start(options: ServerOptions) {
      const server = NodeProcess.start(new URL(`servers/${module}.js`, import.meta.url), "server", {}, FLAGS);
      try {
        const port = await server.link.ask("serve", z.number(), { ...options, system: name, host: HOST });
        return {
          host: HOST,
          port,
          pid: server.pid,
          memory: () => server.link.ask("memory", MemoryAnswer),
          stop: () => server.stop(),
        };
      } catch (error) {
        await server.stop();
        throw error;
      }
    },
  };
}
