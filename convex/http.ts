import { httpRouter } from "convex/server";
import { internal } from "./_generated/api.js";
import { httpAction } from "./_generated/server.js";
import { equalInConstantTime, hashToken } from "./lib/crypto.js";
import * as Env from "./lib/env.js";

const http = httpRouter();

/** For load balancers and monitors: no identity, counts alone, each read bounded. */
http.route({
  path: "/api/health",
  method: "GET",
  handler: httpAction(async (ctx) => Response.json(await ctx.runQuery(internal.admin.health, {}))),
});

/**
 * For Prometheus: text format 0.0.4. Whoever scrapes shows METRICS_TOKEN as bearer; without that
 * deployment variable the page does not exist.
 */
http.route({
  path: "/api/metrics",
  method: "GET",
  handler: httpAction(async (ctx, request) => {
    const token = Env.find("METRICS_TOKEN");
    if (token === undefined) {
      return refusal(404, "Set the deployment variable METRICS_TOKEN to offer metrics here.");
    }
    if (!(await isBearer(request, token))) {
      return refusal(401, "Send the header Authorization: Bearer <METRICS_TOKEN>.");
    }
    const text = await ctx.runQuery(internal.metrics.exposition, {});
    const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
    return new Response(text, { headers });
  }),
});

/** Compares hashes, so that neither length nor content of the token shows in the time it takes. */
async function isBearer(request: Request, token: string): Promise<boolean> {
  const given = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  return equalInConstantTime(await hashToken(given), await hashToken(token));
}

function refusal(status: 401 | 404, message: string): Response {
  const headers = { "content-type": "text/plain; charset=utf-8", "www-authenticate": "Bearer" };
  return new Response(`${message}\n`, { status, headers });
}

export default http;
