import type { DefinitionProblem } from "../services/workflows/definition-files.js";
import { CommandFailure } from "./failure.js";

/** Workflow files cannot be used. */
export function definitionFailure(problems: readonly DefinitionProblem[]): CommandFailure {
  const message =
    problems.length === 1
      ? "a definition cannot be used"
      : `definitions cannot be used, for ${problems.length} reasons`;
  return new CommandFailure("USAGE", message, {
    problems: problems.map(({ file, line, column, field, description }) => ({
      name: line === 0 ? file : `${file}:${line}:${column}`,
      description: field === "" ? description : `${field} ${description}`,
    })),
  });
}
