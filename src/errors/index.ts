export * from "./error.js";
export * from "./reasons.js";
