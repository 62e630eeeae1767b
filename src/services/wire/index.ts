/** Domain records as generated messages. The other way round is `../validation`, because what comes in must be judged. */
export { toAgent, toLease } from "./agent.js";
export { toSession } from "./session.js";
export { toAgentState, toStateEvent } from "./state.js";
export { toStruct } from "./struct.js";
export { toTask } from "./task.js";
export { toDuration, toTimestamp } from "./time.js";
export { toWorkflow } from "./workflow.js";
