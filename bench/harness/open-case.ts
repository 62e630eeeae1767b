import { z } from "zod";
import { METRICS, type Case, type Metric, type Pace, type Sample, type Scenario } from "../scenario.js";
import { systems } from "../systems/index.js";
import { peakResidentBytes } from "../systems/memory.js";
import type { RunningSystem } from "../systems/system.js";
import { NodeProcess, Nothing } from "./node-process.js";

/** More agents than this are a large number. */
const LARGE = 20_000;

const LOAD = new URL("../load/main.js", import.meta.url);
const Samples: z.ZodType<Sample> = z.partialRecord(z.enum(Object.keys(METRICS) as Metric[]), z.number());

/** A case with its server and its load, ready to be measured. */
export class OpenCase {
  private constructor(
    private readonly load: NodeProcess,
    private readonly server: RunningSystem | undefined,
  ) {}

  /** Starts what the case needs, and warms it up. @throws Error when that fails; then nothing is left running */
  static async open(scenario: Scenario, one: Case, pace: Pace): Promise<OpenCase> {
    const agents = scaled(one.server?.agents ?? 0, pace);
    const server = one.system === undefined ? undefined : await systems[one.system].start({ ...one.server, agents });
    const load = NodeProcess.start(LOAD, "load", { memory: () => server?.memory() });
    const open = new OpenCase(load, server);
    try {
      await load.link.ask("open", Nothing, {
        scenario: scenario.name,
        case: one.name,
        pace,
        target: {
          host: server?.host ?? "",
          port: server?.ports[0] ?? 0,
          ports: server?.ports ?? [],
          agents,
          system: one.system,
          pid: server?.pid,
        },
      });
      return open;
    } catch (error) {
      await open.close();
      throw error;
    }
  }

  measure(): Promise<Sample> {
    return this.load.link.ask("measure", Samples);
  }

  /** The most memory that the server has had, in bytes. */
  get peakBytes(): number | undefined {
    return this.server === undefined ? undefined : peakResidentBytes(this.server.pid);
  }

  async close(): Promise<void> {
    await this.load.stop();
    await this.server?.stop();
  }
}

/** What takes long to fill is smaller in a quick run. */
function scaled(agents: number, { scale }: Pace): number {
  return agents > LARGE ? Math.ceil(agents * scale) : agents;
}
