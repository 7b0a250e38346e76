import { useState, type ReactNode, type SyntheticEvent } from "react";
import { readError } from "../lib/errors.js";
import { cx } from "../lib/cx.js";
import { Button, type ButtonKind } from "./Button.js";

type FormProps = {
  /** The word on the button that sends it. */
  action: string;
  kind?: ButtonKind;
  unable: string | undefined;
  /** Rejected: what it says is shown, and nothing typed is lost. */
  onSubmit: () => Promise<unknown>;
  className?: string;
  children: ReactNode;
};

/** Fields and the button that sends them, once at a time; what the backend refuses is said above it. */
export function Form(props: FormProps): ReactNode {
  const { action, kind = "primary", unable, onSubmit, className, children } = props;
  const [refusal, setRefusal] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (unable !== undefined || isBusy) return;
    setBusy(true);
    setRefusal(null);
    onSubmit()
      .catch((error: unknown) => {
        setRefusal(readError(error).message);
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return (
    <form onSubmit={submit} noValidate className={cx("flex flex-col gap-4", className)}>
      {children}
      {refusal !== null && (
        <p role="alert" className="m-0 text-bad">
          {refusal}
        </p>
      )}
      <Button
        kind={kind}
        type="submit"
        className="self-start"
        unable={unable ?? (isBusy ? "It is being done." : undefined)}
      >
        {action}
      </Button>
    </form>
  );
}
