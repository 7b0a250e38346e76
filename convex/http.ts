import { httpRouter } from "convex/server";
import { internal } from "./_generated/api.js";
import { httpAction } from "./_generated/server.js";

const http = httpRouter();

/** For load balancers and monitors: no identity, counts alone, each read bounded. */
http.route({
  path: "/api/health",
  method: "GET",
  handler: httpAction(async (ctx) => Response.json(await ctx.runQuery(internal.admin.health, {}))),
});

export default http;
