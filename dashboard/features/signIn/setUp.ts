import { useState } from "react";
import { useConnection } from "../../session/SessionProvider.js";
import { unreachable } from "./signIn.js";

export type FirstAdministrator = { setupToken: string; username: string; password: string };

/** Makes the first administrator; `onDone` comes when there is one. */
export function useSetUp(onDone: (first: FirstAdministrator) => void) {
  const { http } = useConnection();
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const setUp = (first: FirstAdministrator): void => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    http
      .setUp(first)
      .then((reply) => {
        if (reply.ok) onDone(first);
        else setProblem(reply.message);
      })
      .catch((error: unknown) => {
        setProblem(unreachable(error));
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return { problem, isBusy, setUp };
}
