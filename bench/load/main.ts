/** The load process: opens one case of one scenario, and measures it whenever it is asked to. */
import { z } from "zod";
import { Link } from "../harness/link.js";
import { SYSTEMS, type Load } from "../scenario.js";
import { MemoryAnswer } from "../systems/node-system.js";
import { scenarios } from "../scenarios/index.js";

const Order = z.object({
  scenario: z.string(),
  case: z.string(),
  target: z.object({
    host: z.string(),
    port: z.number(),
    ports: z.array(z.number()),
    agents: z.number(),
    system: z.enum(SYSTEMS).optional(),
    pid: z.number().optional(),
  }),
  pace: z.object({ seconds: z.number(), warmUp: z.number(), scale: z.number() }),
});
export type Order = z.infer<typeof Order>;

let load: Load | undefined;

const link = new Link(process, {
  async open(order) {
    const { scenario, case: name, target, pace } = Order.parse(order);
    const found = scenarios.find((one) => one.name === scenario)?.cases.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no case ${name} of ${scenario}`);
    const { system, pid } = target;
    load = await found.open({ ...target, system, pid, memory: () => link.ask("memory", MemoryAnswer) }, pace);
  },
  async measure() {
    if (load === undefined) throw new Error("nothing is open");
    return load.measure();
  },
  async close() {
    await load?.close();
  },
});
process.on("disconnect", () => process.exit());
