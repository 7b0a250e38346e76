import { FunctionFailure } from "../functions/failure.js";
import { type Caller, type TestBackend } from "./backend.js";
import { described, type Exported } from "./functions.js";
import { asThrown } from "./thrown.js";

const ORIGIN = "https://some.convex.site";
type HttpFunction = { invokeHttpAction: (request: Request) => Promise<Response> };
type Router = {
  lookup: (path: string, method: string) => readonly [HttpFunction, ...unknown[]] | null;
};
type HttpCall = { path: string; init: RequestInit | undefined; caller: Caller };

/** Calls what http.ts routes the path to; 404 when nothing is. Rejects with what it throws. */
export async function fetchHttpAction(
  backend: TestBackend,
  { path, init, caller }: HttpCall,
): Promise<Response> {
  if (!path.startsWith("/")) throw new Error("The path given to `t.fetch` must start with a `/`.");
  const url = new URL(`${ORIGIN}${path}`);
  // http.ts exports a router of convex/server by default.
  const router = (await backend.modulesOf("").load("http.js"))["default"] as Router;
  const found = router.lookup(url.pathname, init?.method ?? "GET");
  if (found === null) {
    return new Response(`No HttpAction routed for ${url.pathname}`, { status: 404 });
  }
  const [handler] = found;
  const answered: { response: Response | null } = { response: null };
  // To the runtime it is an action; request and response do not pass through it.
  const exported: Exported = {
    isAction: true,
    exportArgs: () => '{"type":"any"}',
    exportReturns: () => "null",
    invokeAction: async () => {
      answered.response = await handler.invokeHttpAction(new Request(url, init));
      return "null";
    },
  };
  try {
    const action = described(exported, "", { module: "http.js", name: "default" });
    await backend.run(action, { kind: "action", args: {}, caller });
  } catch (error) {
    throw asThrown(error);
  }
  if (answered.response !== null) return answered.response;
  throw new FunctionFailure(`The HTTP action at ${url.pathname} returned no response.`);
}
