import type { Scenario } from "../scenario.js";
import { fanOuts } from "./fan-out.js";
import { setState } from "./set-state.js";

/** In the order of the report. */
export const scenarios: readonly Scenario[] = [setState, ...fanOuts];
