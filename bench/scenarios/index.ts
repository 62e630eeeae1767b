import type { Scenario } from "../scenario.js";
import { fanOuts } from "./fan-out.js";
import { getState } from "./get-state.js";
import { growth } from "./growth.js";
import { heartbeat } from "./heartbeat.js";
import { reportStates } from "./report-states.js";
import { setState } from "./set-state.js";
import { strangers } from "./strangers.js";
import { watcherMemory } from "./watcher-memory.js";

/** In the order of the report. */
export const scenarios: readonly Scenario[] = [
  setState,
  ...fanOuts,
  reportStates,
  getState,
  heartbeat,
  strangers,
  growth,
  watcherMemory,
];
