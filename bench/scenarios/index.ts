import type { Scenario } from "../scenario.js";
import { agentMemory } from "./agent-memory.js";
import { fanOuts } from "./fan-out.js";
import { getState } from "./get-state.js";
import { growth } from "./growth.js";
import { heartbeat } from "./heartbeat.js";
import { httpMix, httpReports } from "./http.js";
import { ownAgents } from "./own-agents.js";
import { redisMemory } from "./redis-memory.js";
import { replicas } from "./replicas.js";
import { reportStates, reportStatesRedis } from "./report-states.js";
import { resumeStorm } from "./resume-storm.js";
import { sessions } from "./sessions.js";
import { setState, setStateRedis } from "./set-state.js";
import { snapshot } from "./snapshot.js";
import { startup } from "./startup.js";
import { strangers } from "./strangers.js";
import { taskDispatch } from "./task-dispatch.js";
import { waits } from "./waits.js";
import { watcherMemory } from "./watcher-memory.js";

/** In the order of the report. */
export const scenarios: readonly Scenario[] = [
  setState,
  setStateRedis,
  ...fanOuts,
  reportStates,
  reportStatesRedis,
  replicas,
  getState,
  heartbeat,
  sessions,
  waits,
  taskDispatch,
  httpReports,
  httpMix,
  strangers,
  ownAgents,
  growth,
  resumeStorm,
  snapshot,
  watcherMemory,
  agentMemory,
  redisMemory,
  startup,
];
