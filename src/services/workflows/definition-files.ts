/**
 * Definitions of work from files, JSON or YAML (which are read alike: JSON is YAML). A YAML file may hold several documents.
 *
 * Whoever wrote the file hears of everything that is wrong with it, with its line: types and names from `readWorkflowData`, the rest
 * from the rule that the service has.
 */
import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Document, LineCounter, YAMLParseError, YAMLWarning } from "yaml";
import type { Workflow } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { fileFailure, messageOf } from "../../lib/failure-text.js";
import { DEFAULT_LIMITS, type Limits } from "../limits.js";
import { id, Violations } from "../validation/index.js";
import type { Place } from "./data-object.js";
import { readDefinition } from "./definition.js";
import { readWorkflowData } from "./workflow-data.js";

/** As large as a request that brings a definition may be. */
const MAX_BYTES = 4 * 1024 * 1024;
/** A document that repeats itself by aliases more often is no definition: it is meant to fill the memory. */
const MAX_ALIASES = 100;
const EXTENSIONS: ReadonlySet<string> = new Set([".json", ".yaml", ".yml"]);

/** One thing that is wrong with a file. */
export interface DefinitionProblem {
  readonly file: string;
  /** From 1; 0 when it is about the file as a whole. */
  readonly line: number;
  readonly column: number;
  /** The path of the field in `opscore.v1.Workflow`; empty when it is about none. */
  readonly field: string;
  readonly description: string;
}

/** Files that cannot be taken for definitions, and all the reasons why. */
export class DefinitionFileError extends Error {
  override readonly name = "DefinitionFileError";

  /** @param problems at least one */
  constructor(readonly problems: readonly DefinitionProblem[]) {
    super(problems.map(printProblem).join("\n"));
  }
}

/** `flows/report.yaml:7:12: tasks[1].depends_on[0] must be …` */
export function printProblem({ file, line, column, field, description }: DefinitionProblem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return field === "" ? `${place}: ${description}` : `${place}: ${field} ${description}`;
}

/** A definition, and where it stands. */
export interface FileDefinition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly workflow: Workflow;
}

/**
 * Reads all definitions in a directory, its files in the order of their names. Other files than `.json`, `.yaml` and `.yml`, hidden
 * ones, and directories in it are passed over.
 *
 * @throws DefinitionFileError with the problems of all files, also when the directory cannot be read
 */
export async function readDefinitionDirectory(directory: string, limits: Limits): Promise<readonly FileDefinition[]> {
  const entries = await orProblem(directory, readdir(directory, { withFileTypes: true }));
  const names = entries
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name)
    .filter((name) => EXTENSIONS.has(extname(name).toLowerCase()))
    .sort();
  return readDefinitionFiles(
    names.map((name) => join(directory, name)),
    limits,
  );
}

/**
 * Reads definitions from files.
 *
 * @throws DefinitionFileError with the problems of all of them
 */
export async function readDefinitionFiles(
  files: readonly string[],
  limits: Limits,
): Promise<readonly FileDefinition[]> {
  const definitions: FileDefinition[] = [];
  const problems: DefinitionProblem[] = [];
  for (const file of files) {
    try {
      definitions.push(...(await parseDefinitions(file, await orProblem(file, readFile(file)), limits)));
    } catch (error) {
      if (!(error instanceof DefinitionFileError)) throw error;
      problems.push(...error.problems);
    }
  }
  const firsts = new Map<string, FileDefinition>();
  for (const definition of definitions) {
    const { file, line, column, workflow } = definition;
    const first = firsts.get(workflow.workflowId);
    firsts.set(workflow.workflowId, first ?? definition);
    if (first === undefined) continue;
    const description = `must differ from that of ${first.file}:${first.line}:${first.column}`;
    problems.push({ file, line, column, field: "workflow_id", description });
  }
  if (problems.length > 0) throw new DefinitionFileError(problems);
  return definitions;
}

async function orProblem<T>(file: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const description = `cannot be read: ${fileFailure(error)}`;
    throw new DefinitionFileError([{ file, line: 0, column: 0, field: "", description }]);
  }
}

/**
 * Reads the definitions that a file holds.
 *
 * @param file its name, for problems
 * @throws DefinitionFileError
 */
export async function parseDefinitions(
  file: string,
  content: Buffer,
  limits: Limits = DEFAULT_LIMITS,
): Promise<readonly FileDefinition[]> {
  const whole = (description: string) =>
    new DefinitionFileError([{ file, line: 0, column: 0, field: "", description }]);
  if (content.length > MAX_BYTES) throw whole(`must be at most ${MAX_BYTES} bytes`);
  // Loaded only now: most servers have no such files.
  const { LineCounter, parseAllDocuments } = await import("yaml");
  const lines = new LineCounter();
  const text = content.toString("utf8").replace(/^\uFEFF/, "");
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const documents = Array.isArray(parsed) ? parsed.filter((document) => !isEmpty(document)) : [];
  if (documents.length === 0) throw whole("holds no definition");
  const unreadable = documents.flatMap(complaints).find(({ code }) => code !== "DUPLICATE_KEY");
  const isJson = extname(file).toLowerCase() === ".json";
  const fault = unreadable === undefined || !isJson ? undefined : jsonFault(text, unreadable.pos[0]);
  if (fault !== undefined) {
    const place = placeOf(file, lines, fault.offset);
    throw new DefinitionFileError([{ ...place, field: "", description: fault.message }]);
  }
  const results = documents.map((document) => readDocument(file, document, lines, limits));
  const problems = results.flatMap((result) => result.problems);
  if (problems.length > 0) throw new DefinitionFileError(problems);
  return results.map(({ definition }) => definition);
}

/** Nothing but comments, between two `---` or in the whole file. */
function isEmpty({ contents, errors }: Document.Parsed): boolean {
  const isNothing = contents === null || ("value" in contents && contents.value === null && contents.source === "");
  return isNothing && errors.length === 0;
}

function placeOf(file: string, lines: LineCounter, offset: number) {
  const { line, col } = lines.linePos(offset);
  return { file, line, column: col };
}

function complaints({ errors, warnings }: Document.Parsed): readonly (YAMLParseError | YAMLWarning)[] {
  return [...errors, ...warnings];
}

/**
 * Whoever wrote JSON should hear what it is not in words of JSON, not of flow maps.
 *
 * @param offset where reading it as YAML failed: `JSON.parse` does not always tell
 */
function jsonFault(text: string, offset: number): { readonly offset: number; readonly message: string } | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const [, message = "", position] = /^(.*?)(?: at position (\d+).*)?$/s.exec(messageOf(error)) ?? [];
    if (message.startsWith("Unexpected end")) return { offset: text.length, message };
    return { offset: position === undefined ? offset : Number(position), message };
  }
}

function readDocument(
  file: string,
  document: Document.Parsed,
  lines: LineCounter,
  limits: Limits,
): { readonly definition: FileDefinition; readonly problems: readonly DefinitionProblem[] } {
  const start = document.contents?.range[0] ?? 0;
  const places = new Map<string, Place>();
  const at = (offset: number) => placeOf(file, lines, offset);
  const bad = new Violations();
  const { data, faults } = toData(document);
  const workflow = readWorkflowData(bad, data, ({ field, place }) => places.set(field, place));
  if (!bad.all.some(({ field }) => field === "workflow")) {
    id(bad, "workflow_id", workflow.workflowId);
    readDefinition(bad, "", workflow, limits);
  }
  // What could not even be parsed has nothing to say about fields; and of one field the first complaint is the one to heed.
  const seen = new Set<string>();
  const violations = faults.length > 0 ? [] : bad.all.filter(({ field }) => !seen.has(field) && seen.add(field));
  const problems = violations.map(({ field, description }): DefinitionProblem => ({
    ...at(offsetOf(document, places, field) ?? start),
    field,
    description,
  }));
  return {
    definition: { ...at(offsetOf(document, places, "workflow_id") ?? start), workflow },
    problems: [
      ...faults.map(({ offset, message }) => ({ ...at(offset ?? start), field: "", description: message })),
      ...problems,
    ],
  };
}

interface Fault {
  readonly offset: number | undefined;
  readonly message: string;
}

function toData(document: Document.Parsed): { readonly data: unknown; readonly faults: readonly Fault[] } {
  const faults = complaints(document).map(({ pos, code, message }) => ({
    offset: pos[0],
    message: code === "DUPLICATE_KEY" ? "this key is there already" : message,
  }));
  if (faults.length > 0) return { data: {}, faults };
  try {
    return { data: document.toJS({ maxAliasCount: MAX_ALIASES }), faults };
  } catch (error) {
    return { data: {}, faults: [{ offset: undefined, message: messageOf(error) }] };
  }
}

/** Where the field begins; where it is not written, the nearest that is around it. */
function offsetOf(document: Document.Parsed, places: ReadonlyMap<string, Place>, field: string): number | undefined {
  let nearest: string | undefined;
  for (const path of places.keys()) {
    const isAround = field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`);
    if (isAround && path.length > (nearest?.length ?? -1)) nearest = path;
  }
  const place = nearest === undefined ? undefined : places.get(nearest);
  const node: unknown = place === undefined ? undefined : document.getIn(place, true);
  if (typeof node !== "object" || node === null || !("range" in node) || !Array.isArray(node.range)) return undefined;
  const [offset] = node.range as readonly unknown[];
  return typeof offset === "number" ? offset : undefined;
}
