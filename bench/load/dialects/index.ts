import type { SystemName } from "../../scenario.js";
import type { Dialect } from "./dialect.js";
import { etcd } from "./etcd.js";
import { opscore } from "./opscore.js";

export type { Changing, Dialect, Operation, Request, Watching } from "./dialect.js";

export function dialectOf(system: SystemName | undefined): Dialect {
  return system === "etcd" ? etcd : opscore;
}
