import type { HttpRoute, Verb } from "./routes.js";

/** What is served at a path. */
export interface RouteMatch {
  /** The values of the path's parameters, decoded, in order. */
  readonly params: readonly string[];
  readonly byVerb: ReadonlyMap<string, HttpRoute>;
}

interface Node {
  readonly literals: Map<string, Node>;
  param: Node | undefined;
  readonly byVerb: Map<Verb, HttpRoute>;
}

/** The plain HTTP routes by their paths: a tree of segments. */
export class HttpRouteTable {
  private readonly root = newNode();

  constructor(routes: readonly HttpRoute[]) {
    for (const route of routes) {
      let node = this.root;
      for (const segment of route.path.slice(1).split("/")) node = childOf(node, segment);
      for (const verb of route.verbs) node.byVerb.set(verb, route);
    }
  }

  /**
   * @param path as it was sent, without its query
   * @returns undefined when nothing is served there
   */
  match(path: string): RouteMatch | undefined {
    const params: string[] = [];
    let node = this.root;
    // Most of what comes here is not for these routes, and leaves at its first segment.
    for (let start = 1; start <= path.length;) {
      const slash = path.indexOf("/", start);
      const end = slash < 0 ? path.length : slash;
      const segment = path.slice(start, end);
      const literal = node.literals.get(segment);
      if (literal !== undefined) {
        node = literal;
      } else {
        if (node.param === undefined || segment === "") return undefined;
        node = node.param;
        params.push(decode(segment));
      }
      start = end + 1;
    }
    return node.byVerb.size === 0 || path.endsWith("/") ? undefined : { params, byVerb: node.byVerb };
  }
}

function newNode(): Node {
  return { literals: new Map(), param: undefined, byVerb: new Map() };
}

function childOf(node: Node, segment: string): Node {
  if (segment === "{}") return (node.param ??= newNode());
  const known = node.literals.get(segment);
  if (known !== undefined) return known;
  const child = newNode();
  node.literals.set(segment, child);
  return child;
}

/** What cannot be decoded stays as it is: nothing has that name. */
function decode(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
