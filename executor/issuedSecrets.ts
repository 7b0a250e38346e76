import type { HeldAttempt } from "../convex/protocol/executor.js";
import type { IssuedSecret, SecretUse } from "../convex/protocol/secret.js";
import { type Backend, BackendError } from "./backend.js";
import { type Clock, pause } from "./clock.js";
import type { CliLogin } from "./config.js";
import type { Redactor } from "./redact.js";

/** The secrets that one attempt was given; the redactor knows each before anybody else does. */
export interface IssuedSecrets {
  /** Null when the deployment keeps none for this. Rejects with BackendError. */
  get(use: SecretUse): Promise<IssuedSecret | null>;
  /** Once nothing of the attempt can be on its way any more. */
  forget(): void;
}

/** The machine's own login; the deployment's where the machine has none. Rejects with BackendError. */
export async function loginOf(
  cli: { login: CliLogin; isLoginMissing?: boolean },
  secrets: IssuedSecrets,
): Promise<CliLogin> {
  const { login, isLoginMissing } = cli;
  const issued = isLoginMissing === true ? await secrets.get("claude") : null;
  if (issued === null) return login;
  const { form, secret } = issued;
  return form === "apiKey" ? { ...login, apiKey: secret } : { ...login, oauthToken: secret };
}

const TRIES_MAX = 4;
const RETRY_MS = 500;

export function issuedSecrets(
  held: HeldAttempt,
  deps: { backend: Backend; clock: Clock; redactor: Redactor; signal: AbortSignal },
): IssuedSecrets {
  const { backend, clock, redactor, signal } = deps;
  const forgets: (() => void)[] = [];
  return {
    get: async (use) => {
      for (let tries = 1; ; tries += 1) {
        try {
          const issued = await backend.issueSecret(held, use);
          if (issued !== null) forgets.push(redactor.learn([issued.secret]));
          return issued;
        } catch (error) {
          // Only what the connection lost is worth another try.
          const isTransient = error instanceof BackendError && error.code === "OTHER";
          if (!isTransient || tries === TRIES_MAX || signal.aborted) throw error;
          await pause(clock, RETRY_MS * 2 ** tries, signal);
        }
      }
    },
    forget: () => {
      for (const forget of forgets.splice(0)) forget();
    },
  };
}
