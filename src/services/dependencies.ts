import type { Storage } from "../storage/storage.js";
import type { MakeId } from "./ids.js";
import type { Limits } from "./limits.js";

/** What the services share. */
export interface ServiceDependencies {
  readonly storage: Storage;
  readonly limits: Limits;
  readonly makeId: MakeId;
  /** Told of every failure that is not an OpsCoreError and that a service answers itself, inside a stream. */
  readonly onDefect: (errorId: string, thrown: unknown) => void;
}
