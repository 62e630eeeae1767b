/** What a request must be like. Every rule reads one kind of field: see {@link Violations} for how they work together. */
export { capabilities, ids, labels, selector } from "./collections.js";
export { freeData, jsonBytes } from "./data.js";
export {
  livenesses,
  sessionStatus,
  sessionStatuses,
  state,
  stateOr,
  states,
  taskDelivery,
  taskStatuses,
} from "./enums.js";
export { patch, type MaskedFields } from "./masks.js";
export { count, duration, pageSize, real, timestamp, whole } from "./numbers.js";
export { httpUrl, id, isId, name, optionalId, reason, requestId, text, word } from "./text.js";
export { excerpt, Violations } from "./violations.js";
