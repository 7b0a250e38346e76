/** The product's own functions on an embedded backend in this process: no server, no network. */
import type { Backend } from "../../../embedded/functions/backend.js";
import { productPush } from "../../support/productPush.js";

const VARIABLES = {
  AUTH_ISSUER: "https://queue.bench",
  AUTH_USER_PRIVATE_JWK: "unused",
  AUTH_EXECUTOR_PRIVATE_JWK: "unused",
  SETUP_TOKEN: "unused",
};

/** Pushes convex/ of this checkout, with the components it uses. */
export async function deploy(backend: Backend, root: string): Promise<void> {
  const environment = Object.entries(VARIABLES).map(([name, value]) => ({ name, value }));
  await backend.deployment.setEnvironment(environment);
  await backend.deployment.activate(await backend.deployment.analyze(await productPush(root)));
}
