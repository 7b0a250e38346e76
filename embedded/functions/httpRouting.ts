/** Finds the component that answers an HTTP request: http.ts routes first, then mounted children. */
import { mountedChild } from "./componentTree.js";
import { type AnalyzedPush, definitionAt } from "./deployment.js";

export const HTTP_MODULE = "http.js";

/** `route` is the path as the component's own router knows it. */
export type HttpTarget = { componentPath: string; route: string };

/** Null: nobody answers there. */
export function routeRequest(
  push: AnalyzedPush | null,
  request: { method: string; pathname: string },
  componentPath = "",
): HttpTarget | null {
  const definition = definitionAt(push, componentPath);
  if (definition === null) return null;
  const { httpPrefix, httpMounts } = definition.metadata;
  const route = withoutPrefix(request.pathname, httpPrefix ?? "/");
  const method = request.method === "HEAD" ? "GET" : request.method;
  const own = (definition.functions[HTTP_MODULE]?.httpRoutes ?? [])
    .map((declared) => declared.route)
    .filter((declared) => declared.method === method && route !== null);
  if (own.some(({ path }) => path === route)) return target(componentPath, route);
  const ownLength = longest(
    own.flatMap(({ path }) => prefixOf(path)),
    route ?? "",
  );
  const mounts = Object.keys(httpMounts);
  const mountLength = longest(mounts, request.pathname);
  if (ownLength >= mountLength) return ownLength === 0 ? null : target(componentPath, route);
  const prefix = mounts.find(
    (mount) => mount.length === mountLength && request.pathname.startsWith(mount),
  );
  const child = prefix === undefined ? null : mountedChild(componentPath, httpMounts[prefix] ?? "");
  if (prefix === undefined || child === null) return null;
  const pathname = request.pathname.slice(prefix.length - 1);
  return routeRequest(push, { method, pathname }, child);
}

/** Whether there is anything that could answer. */
export function hasHttpActions(push: AnalyzedPush | null): boolean {
  const root = definitionAt(push, "");
  if (root === null) return false;
  const mounts = Object.keys(root.metadata.httpMounts);
  return root.functions[HTTP_MODULE] !== undefined || mounts.length > 0;
}

const target = (componentPath: string, route: string | null): HttpTarget | null =>
  route === null ? null : { componentPath, route };

/** Prefix routes are written with a star at the end. */
const prefixOf = (path: string): string[] => (path.endsWith("*") ? [path.slice(0, -1)] : []);

const longest = (prefixes: readonly string[], path: string): number =>
  Math.max(0, ...prefixes.filter((prefix) => path.startsWith(prefix)).map(({ length }) => length));

/** `prefix` begins and ends with a slash; null when the path is not under it. */
const withoutPrefix = (pathname: string, prefix: string): string | null =>
  pathname.startsWith(prefix) ? pathname.slice(prefix.length - 1) : null;
