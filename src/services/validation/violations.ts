import { invalidFields, type FieldViolation } from "../../errors/index.js";

/**
 * At most so many fields are named. They travel in the trailers of a gRPC answer, which some clients limit to 8 KiB, and a
 * caller with twenty bad fields has one defect rather than twenty.
 */
const MAX_NAMED = 20;

/** Keys and words of the caller's own are shown up to this length. */
const MAX_EXCERPT = 64;

/**
 * Collects what is wrong with one request, so that the caller hears of every bad field at once. Each rule takes it first, then
 * the field's path in the proto file, then the value, and returns what the domain calls that value. Rules go on after a
 * violation and return something harmless; {@link Violations.throwIfAny} comes before the result is used.
 */
export class Violations {
  private found: FieldViolation[] | undefined;

  /**
   * @param field the path of the field as it stands in the proto file
   * @param description what is wrong, as a sentence without subject: "must be set"
   */
  add(field: string, description: string): void {
    this.found ??= [];
    if (this.found.length < MAX_NAMED) this.found.push({ field, description });
  }

  /** What was found so far. */
  get all(): readonly FieldViolation[] {
    return this.found ?? [];
  }

  /** @throws OpsCoreError INVALID_FIELD with every violation */
  throwIfAny(): void {
    if (this.found !== undefined) throw invalidFields(this.found);
  }
}

/** Text of the caller's, quoted and cut short, as a part of a path or a description. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > MAX_EXCERPT ? `${text.slice(0, MAX_EXCERPT)}…` : text);
}
