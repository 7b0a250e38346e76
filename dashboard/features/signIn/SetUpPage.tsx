import { Link, useRouter } from "@tanstack/react-router";
import { useEffect, useState, type SyntheticEvent, type ReactNode } from "react";
import { PASSWORD_CHARS_MIN } from "../../../convex/protocol/limits.js";
import { Button } from "../../ui/Button.js";
import { TextField } from "../../ui/Field.js";
import { AuthCard } from "./AuthCard.js";
import { useSetUp, type FirstAdministrator } from "./setUp.js";
import { useSignIn } from "./signIn.js";

const NOBODY: FirstAdministrator = { setupToken: "", username: "", password: "" };

/** Makes the first administrator of a new deployment, with its one-time token, and signs him in. */
export function SetUpPage(): ReactNode {
  const router = useRouter();
  const [first, setFirst] = useState<FirstAdministrator>(() => ({
    ...NOBODY,
    // After `#`, where it reaches no server and no log.
    setupToken: new URLSearchParams(location.hash.slice(1)).get("token") ?? "",
  }));
  const signIn = useSignIn(() => {
    router.history.replace("/");
  });
  const { problem, isBusy, setUp } = useSetUp(signIn.withPassword);
  useEffect(() => {
    document.title = "Set up · Fondation";
  }, []);
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    setUp(first);
  };
  const field = (name: keyof FirstAdministrator) => ({
    value: first[name],
    required: true,
    spellCheck: false,
    onChange: (event: { target: { value: string } }) => {
      setFirst({ ...first, [name]: event.target.value });
    },
  });
  const sentence = problem ?? signIn.problem;
  return (
    <AuthCard title="Set up Fondation">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label="Set-up token"
          hint="The value of the deployment's variable SETUP_TOKEN. It works once."
          autoComplete="off"
          {...field("setupToken")}
        />
        <TextField
          label="Name of the first administrator"
          autoComplete="username"
          autoCapitalize="none"
          {...field("username")}
        />
        <TextField
          label="Password"
          hint={`At least ${PASSWORD_CHARS_MIN} characters.`}
          type="password"
          autoComplete="new-password"
          minLength={PASSWORD_CHARS_MIN}
          {...field("password")}
        />
        {sentence !== null && (
          <p role="alert" className="m-0 text-bad">
            {sentence}
          </p>
        )}
        <Button kind="primary" type="submit" {...(isBusy ? { unable: "Setting up…" } : {})}>
          {isBusy ? "Setting up…" : "Set up and sign in"}
        </Button>
        <p className="m-0 text-[13px] text-muted">
          Set up already?{" "}
          <Link to="/sign-in" className="text-accent underline">
            Sign in
          </Link>
          .
        </p>
      </form>
    </AuthCard>
  );
}
