/**
 * Field masks (AIP-134, AIP-161): what an update changes. A path in the mask takes the field's value from the message, and clears
 * it when it is not set there. Without a mask, whatever is set in the message is changed.
 */
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { Limits } from "../limits.js";
import { excerpt, type Violations } from "./violations.js";

/** What may be changed of a message `M`: by path, how to tell that it is set and how to read it into a domain patch `P`. */
export type MaskedFields<M, P> = Readonly<Record<string, MaskedField<M, P>>>;

export interface MaskedField<M, P> {
  isSet(message: M): boolean;
  /** @param field the full path, for violations */
  read(bad: Violations, field: string, message: M, limits: Limits): Partial<P>;
}

/**
 * @param prefix of the message's fields in the request: `agent.`
 * @returns the patch; fields outside the mask are neither read nor judged
 */
export function patch<M, P>(
  bad: Violations,
  prefix: string,
  fields: MaskedFields<M, P>,
  message: M,
  mask: FieldMask | undefined,
  limits: Limits,
): Partial<P> {
  const patched: Partial<P> = {};
  for (const path of maskedPaths(bad, fields, message, mask)) {
    Object.assign(patched, fields[path]?.read(bad, prefix + path, message, limits));
  }
  return patched;
}

function maskedPaths<M, P>(
  bad: Violations,
  fields: MaskedFields<M, P>,
  message: M,
  mask: FieldMask | undefined,
): readonly string[] {
  const known = Object.keys(fields);
  if (mask === undefined || mask.paths.length === 0) return known.filter((path) => fields[path]?.isSet(message));
  mask.paths.forEach((path, i) => {
    if (!known.includes(path)) {
      bad.add(`update_mask.paths[${i}]`, `must be one of ${known.join(", ")}; ${excerpt(path)} is none of them`);
    }
  });
  return known.filter((path) => mask.paths.includes(path));
}
