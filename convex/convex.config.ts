/** The components of the deployment: what is written and tested elsewhere and keeps tables of its own. */
import rateLimiter from "@convex-dev/rate-limiter/convex.config.js";
import { defineApp } from "convex/server";

const app = defineApp();
app.use(rateLimiter);
export default app;
