import type { Config } from "../config/index.js";
import type { FileDefinition } from "../services/workflows/definition-files.js";
import { serviceLimits } from "./limits.js";

/**
 * Reads the definitions that are to be stored at the start; none when there is no directory for them.
 *
 * @throws DefinitionFileError
 */
export async function readWorkflowsDirectory(config: Config): Promise<readonly FileDefinition[]> {
  if (config.workflowsDir === undefined) return [];
  const { readDefinitionDirectory } = await import("../services/workflows/definition-files.js");
  return readDefinitionDirectory(config.workflowsDir, serviceLimits(config));
}
