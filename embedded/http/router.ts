/** Finds the handler of a request on the cloud origin, and answers everything nobody handles. */
import type { HttpRequest, Reply } from "./request.js";
import { HttpError } from "./request.js";

export type Route = {
  method: "GET" | "POST";
  path: string | RegExp;
  handle: (request: HttpRequest) => Promise<Reply>;
};

export type Router = (request: HttpRequest) => Promise<Reply>;

export function createRouter(routes: readonly Route[]): Router {
  const exact = new Map(routes.map((route) => [`${route.method} ${String(route.path)}`, route]));
  const patterns = routes.filter((route) => route.path instanceof RegExp);
  return async (request) => {
    const { pathname } = request.url;
    const route =
      exact.get(`${request.method} ${pathname}`) ??
      patterns.find(({ method, path }) => method === request.method && isMatch(path, pathname));
    if (route === undefined) throw unsupported(request.method, pathname);
    return route.handle(request);
  };
}

const isMatch = (path: Route["path"], pathname: string): boolean =>
  path instanceof RegExp && path.test(pathname);

/** Not 404: the official CLI takes that for a deployment that is still starting and retries for 30 s. */
const unsupported = (method: string, pathname: string) =>
  new HttpError(
    400,
    "UnsupportedEndpoint",
    `${method} ${pathname} is not supported by the embedded backend; embedded/README.md lists what is`,
  );
