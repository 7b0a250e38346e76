/** The steps of signing in, and what each refusal says. */
import { useState } from "react";
import type { SignInReply } from "../../../convex/protocol/view.js";
import type { Credentials } from "../../session/http.js";
import { useConnection } from "../../session/SessionProvider.js";
import { keepSession } from "../../session/tokens.js";

export type SignIn = {
  /** Set once the password was right and a one-time code is asked for. */
  challenge: string | null;
  problem: string | null;
  isBusy: boolean;
  withPassword: (credentials: Credentials) => void;
  withCode: (code: string) => void;
  startOver: () => void;
};

/** Signs in; `onDone` comes once the session is kept. */
export function useSignIn(onDone: () => void): SignIn {
  const { http } = useConnection();
  const [challenge, setChallenge] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = (ask: () => Promise<SignInReply>): void => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    ask()
      .then((reply) => {
        if (reply.ok) {
          const { accessToken, refreshToken, expiresAt } = reply;
          keepSession({ accessToken, refreshToken, expiresAt });
          onDone();
        } else if (reply.code === "TOTP_REQUIRED" && reply.challenge !== undefined) {
          setChallenge(reply.challenge);
        } else {
          setProblem(sentence(reply.code, challenge !== null));
        }
      })
      .catch((error: unknown) => {
        setProblem(unreachable(error));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return {
    challenge,
    problem,
    isBusy,
    withPassword: (credentials) => {
      run(() => http.signIn(credentials));
    },
    withCode: (code) => {
      run(() => http.signInTotp(challenge ?? "", code));
    },
    startOver: () => {
      setChallenge(null);
      setProblem(null);
    },
  };
}

function sentence(code: string, isCode: boolean): string {
  if (code === "RATE_LIMITED") return "Too many tries at once. Come back in a minute.";
  return isCode
    ? "That code is wrong or was used before, or too many were tried. A new one comes every 30 seconds."
    : "Name or password is wrong, or the account is locked for a while after too many failures.";
}

/** The backend did not answer, or not in a way that is understood. */
export function unreachable(error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  return `The backend did not answer (${why}). Is it running, and is its address in config.json right?`;
}
