import { readFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import type { Clock } from "../clock.js";
import type { CliLogin } from "../config.js";

/** What the gateway shows the model API instead of the run's token. */
export interface Credential {
  readonly kind: "apiKey" | "oauth";
  /** The secret as it is now; undefined when there is none any more. */
  current(): Promise<string | undefined>;
  /** The API refused it: whoever can get a new one does so, for the next request. */
  refused(): void;
}

/** The login file of the CLI (2.1.197), as far as a request needs it. */
const loginFile = z.object({
  claudeAiOauth: z.looseObject({
    accessToken: z.string(),
    expiresAt: z.number(),
  }),
});
type LoginFile = z.output<typeof loginFile>;

/** The CLI itself renews a token that ends this soon. */
const EXPIRY_MARGIN_MS = 2 * 60_000;
/** A renewal that failed is not tried again at once. */
const RENEW_AGAIN_MS = 30_000;
/** Longest life that the stand-in of a login file claims: longer than any attempt. */
const STAND_IN_MS = 30 * 24 * 60 * 60_000;

/** A key or token that does not change while the run lasts. */
export function fixedCredential(login: CliLogin): Credential | undefined {
  const secret = login.apiKey ?? login.oauthToken;
  if (secret === undefined) return undefined;
  return {
    kind: login.apiKey === undefined ? "oauth" : "apiKey",
    current: () => Promise.resolve(secret),
    refused: () => undefined,
  };
}

/**
 * The machine's login file, read anew for every request, since it is renewed in place. `renew` lets
 * the CLI do that, outside of any clone: it alone knows how, and its lock keeps two from doing it at
 * once. Undefined when there is no such file.
 */
export async function fileCredential(
  login: CliLogin,
  options: { clock: Clock; renew: () => Promise<void> },
): Promise<Credential | undefined> {
  const { clock, renew } = options;
  const file = fileOf(login);
  if ((await readLogin(file)) === undefined) return undefined;
  let renewing: Promise<void> | undefined;
  let triedAt = -Infinity;
  const renewOnce = (): Promise<void> => {
    if (renewing !== undefined) return renewing;
    if (clock.monotonic() - triedAt < RENEW_AGAIN_MS) return Promise.resolve();
    triedAt = clock.monotonic();
    renewing = renew().finally(() => {
      renewing = undefined;
    });
    return renewing;
  };
  return {
    kind: "oauth",
    current: async () => {
      const { expiresAt = 0 } = (await readLogin(file))?.claudeAiOauth ?? {};
      if (expiresAt - clock.now() < EXPIRY_MARGIN_MS) await renewOnce();
      const token = (await readLogin(file))?.claudeAiOauth.accessToken;
      return token === "" ? undefined : token;
    },
    refused: () => {
      void renewOnce();
    },
  };
}

/** What the CLI of a run gets for a login file: the same account, with the run's token for a secret. */
export async function standInLogin(
  login: CliLogin,
  token: string,
  now: number,
): Promise<string | undefined> {
  const real = await readLogin(fileOf(login));
  if (real === undefined) return undefined;
  const { scopes, subscriptionType, rateLimitTier } = real.claudeAiOauth;
  const claudeAiOauth = {
    ...{ accessToken: token, refreshToken: "", expiresAt: now + STAND_IN_MS },
    ...{ scopes, subscriptionType, rateLimitTier },
  };
  return JSON.stringify({ claudeAiOauth });
}

function fileOf(login: CliLogin): string {
  return path.join(login.configDir, ".credentials.json");
}

/** Undefined when there is no readable login: a half-written file is one a moment later. */
async function readLogin(file: string): Promise<LoginFile | undefined> {
  try {
    return loginFile.safeParse(JSON.parse(await readFile(file, "utf8"))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
