import type { Case } from "../case.js";
import { deadlines } from "./deadlines.js";
import { endings } from "./endings.js";
import { envelopes } from "./envelopes.js";
import { failures } from "./failures.js";
import { metadata } from "./metadata.js";
import { plain } from "./plain.js";
import { pushes } from "./pushes.js";
import { routes } from "./routes.js";
import { sizes } from "./sizes.js";

/** The one table of calls, by subject. */
export const TABLE: Readonly<Record<string, readonly Case[]>> = {
  "calls that go well": plain,
  metadata,
  failures,
  deadlines,
  sizes,
  envelopes,
  endings,
  "messages that are pushed": pushes,
  "routes, the gate, shutdown": routes,
};
