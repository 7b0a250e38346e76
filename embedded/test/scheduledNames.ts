/** Shows scheduled functions to tests by the name they are written with, "dir/file:fn", as convex-test does. */
import type { JSONValue } from "convex/values";
import type { Transaction } from "../engine/transaction.js";
import type { SyscallHost } from "../functions/execution.js";
import { displayPath, parsePath } from "../functions/paths.js";

const TABLE = "_scheduled_functions";
type Transact = (body: (tx: Transaction) => void) => Promise<void>;

export function withScheduledNames(host: SyscallHost, transact: Transact): SyscallHost {
  return {
    ...host,
    asyncSyscall: async (execution, op, args) => {
      const answer = await host.asyncSyscall(execution, op, args);
      if (op !== "1.0/schedule" && op !== "1.0/actions/schedule") return answer;
      // The id of the row.
      const id = JSON.parse(answer) as JSONValue;
      if (typeof id !== "string") return answer;
      const { tx } = execution;
      const renameIn = (writer: Transaction): void => {
        rename(writer, id);
      };
      if (tx === null) await transact(renameIn);
      else
        tx.usage.paused(() => {
          renameIn(tx);
        });
      return answer;
    },
  };
}

function rename(tx: Transaction, id: string): void {
  const name = tx.get(TABLE, id)?.["name"];
  if (typeof name === "string") tx.patch(TABLE, id, { name: displayPath(parsePath(name)) });
}
