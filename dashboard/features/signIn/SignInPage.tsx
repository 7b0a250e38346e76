import { getRouteApi, Link, Navigate, useRouter } from "@tanstack/react-router";
import { useEffect, useState, type SyntheticEvent, type ReactNode } from "react";
import { useHasSession } from "../../session/tokens.js";
import { Button } from "../../ui/Button.js";
import { TextField } from "../../ui/Field.js";
import { AuthCard } from "./AuthCard.js";
import { ownAddress } from "./search.js";
import { useSignIn, type SignIn } from "./signIn.js";

const route = getRouteApi("/sign-in");

/** Name and password; then, for accounts that have it, the one-time code. */
export function SignInPage(): ReactNode {
  const { to } = route.useSearch();
  const router = useRouter();
  const hasSession = useHasSession();
  const signIn = useSignIn(() => {
    router.history.replace(ownAddress(to));
  });
  useEffect(() => {
    document.title = "Sign in · Fondation";
  }, []);
  // Signed in already, perhaps in another tab.
  if (hasSession) return <Navigate to={ownAddress(to)} replace />;
  return (
    <AuthCard title={signIn.challenge === null ? "Sign in to Fondation" : "One-time code"}>
      {signIn.challenge === null ? <Password signIn={signIn} /> : <Code signIn={signIn} />}
    </AuthCard>
  );
}

function Password({ signIn }: { signIn: SignIn }): ReactNode {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    signIn.withPassword({ username, password });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <TextField
        label="Name"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        required
        value={username}
        onChange={(event) => {
          setUsername(event.target.value);
        }}
      />
      <TextField
        label="Password"
        type="password"
        autoComplete="current-password"
        required
        value={password}
        onChange={(event) => {
          setPassword(event.target.value);
        }}
        problem={signIn.problem ?? undefined}
      />
      <Submit signIn={signIn} title="Sign in" />
      <p className="m-0 text-[13px] text-muted">
        A new deployment?{" "}
        <Link to="/set-up" className="text-accent underline">
          Make the first administrator
        </Link>
        .
      </p>
    </form>
  );
}

function Code({ signIn }: { signIn: SignIn }): ReactNode {
  const [code, setCode] = useState("");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    signIn.withCode(code.trim());
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <TextField
        label="Code of your authenticator app"
        hint="Or one of your recovery codes."
        autoComplete="one-time-code"
        spellCheck={false}
        autoFocus
        required
        value={code}
        onChange={(event) => {
          setCode(event.target.value);
        }}
        problem={signIn.problem ?? undefined}
      />
      <Submit signIn={signIn} title="Go on" />
      <Button kind="quiet" onClick={signIn.startOver}>
        Start over
      </Button>
    </form>
  );
}

function Submit({ signIn, title }: { signIn: SignIn; title: string }): ReactNode {
  return (
    <Button kind="primary" type="submit" {...(signIn.isBusy ? { unable: "Checking…" } : {})}>
      {signIn.isBusy ? "Checking…" : title}
    </Button>
  );
}
