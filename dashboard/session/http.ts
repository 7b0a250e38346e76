/**
 * Signing in and renewing, over HTTP: the live connection waits for a token and cannot fetch its own. The
 * only importer of `convex/browser` in dashboard/.
 */
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../convex/_generated/api.js";
import type { SetUpReply, SignInReply } from "../../convex/protocol/view.js";

export type Credentials = { username: string; password: string };

/** The public functions that need no session. */
export class SignInBackend {
  private readonly client: ConvexHttpClient;

  constructor(url: string) {
    this.client = new ConvexHttpClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
  }

  signIn(credentials: Credentials): Promise<SignInReply> {
    return this.client.action(api.auth.signIn, { ...credentials, label: deviceLabel() });
  }

  signInTotp(challenge: string, code: string): Promise<SignInReply> {
    return this.client.mutation(api.auth.signInTotp, { challenge, code });
  }

  setUp(first: Credentials & { setupToken: string }): Promise<SetUpReply> {
    return this.client.action(api.auth.setUp, first);
  }

  refresh(refreshToken: string): Promise<SignInReply> {
    return this.client.mutation(api.auth.refresh, { refreshToken });
  }
}

/** "Dashboard, Firefox on Linux": what the list of sessions shows. */
function deviceLabel(): string {
  const agent = navigator.userAgent;
  const find = (words: readonly string[]): string | undefined =>
    words.find((word) => agent.includes(word));
  const browser = find(["Firefox", "Edg", "Chrome", "Safari"]) ?? "browser";
  const system = find(["Android", "iPhone", "iPad", "Windows", "Mac", "Linux"]) ?? "unknown system";
  return `Dashboard, ${browser === "Edg" ? "Edge" : browser} on ${system}`;
}
