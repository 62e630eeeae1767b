import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { projectFiles, root } from "./repository.js";

/** One source file, and what it imports. */
export interface SourceFile {
  /** From the top of the checkout: `src/watch/hub.ts`. */
  readonly path: string;
  readonly text: string;
  readonly ast: ts.SourceFile;
  /** Files of the project, by path; those of which only types are imported too. */
  readonly files: readonly string[];
  /** Those of {@link files} that are loaded when this one is. */
  readonly loads: readonly string[];
  /** npm packages, by name, without those of Node. */
  readonly packages: readonly string[];
}

/** Parses the files that match git pathspecs. */
export function sourceFiles(...patterns: readonly string[]): ReadonlyMap<string, SourceFile> {
  return new Map(projectFiles(...patterns).map((path) => [path, parse(path)]));
}

function parse(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const ast = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const specifiers = new Set<string>();
  const loaded = new Set<string>();
  visit(ast, (node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return;
    specifiers.add(specifier);
    if (!isErased(node)) loaded.add(specifier);
  });
  const filesOf = (some: Iterable<string>): string[] =>
    [...some]
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => sourceOf(normalize(join(dirname(path), specifier))));
  return {
    path,
    text,
    ast,
    files: filesOf(specifiers),
    loads: filesOf(loaded),
    packages: [...specifiers]
      .filter((specifier) => !specifier.startsWith(".") && !isBuiltin(specifier))
      .map(packageName),
  };
}

/** The source of a file that is imported by the name it has when it is built. */
function sourceOf(path: string): string {
  const stem = path.replace(/\.js$/, "");
  return existsSync(join(root, `${stem}.tsx`)) ? `${stem}.tsx` : `${stem}.ts`;
}

/** Calls `see` for every node of a file. */
export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => {
    visit(child, see);
  });
}

/** Where a node stands, as editors link it. */
export function placeOf(file: SourceFile, node: ts.Node): string {
  return `${file.path}:${file.ast.getLineAndCharacterOfPosition(node.getStart(file.ast)).line + 1}`;
}

function specifierOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return textOf(node.moduleSpecifier);
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return textOf(node.arguments[0]);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return textOf(node.argument.literal);
  return undefined;
}

/** Tells whether nothing is left of an import at run time. */
function isErased(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  return ts.isImportTypeNode(node) || (ts.isExportDeclaration(node) && node.isTypeOnly);
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteral(node) ? node.text : undefined;
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
