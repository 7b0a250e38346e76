/** Who and where this deployment is. */
import { httpLimits } from "./limits.js";
import type { Route } from "./router.js";

const INSTANCE_NAME = "embedded";
/** Free text, shown by tools. */
const VERSION = "embedded-1";

export function infoRoutes(): Route[] {
  const text = (path: string, body: string): Route => ({
    method: "GET",
    path,
    handle: () => Promise.resolve({ text: body }),
  });
  return [
    text("/", "This is a Convex-compatible deployment. Point a Convex client at it."),
    text("/version", VERSION),
    text("/instance_version", VERSION),
    text("/instance_name", INSTANCE_NAME),
    {
      method: "POST",
      path: "/echo",
      handle: async (request) => ({
        text: (await request.bytes(httpLimits.callBytesMax)).toString("utf8"),
      }),
    },
  ];
}
