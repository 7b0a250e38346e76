import type { JSONValue } from "convex/values";
import type { Transaction } from "../engine/transaction.js";
import type {
  ActionOutcome,
  FunctionCall,
  FunctionRunner,
  MutationOutcome,
  SessionRequest,
} from "./types.js";

export type MutationOptions = {
  session?: SessionRequest;
  /** Called when later calls see the effect, which is before it is durable. */
  onCommitted?: () => void;
  /** Runs first in the transaction; false skips the call: nothing is run or written. */
  beforeRun?: (tx: Transaction) => boolean;
  /** Extra system writes in the same commit, after the function succeeded. */
  beforeCommit?: (tx: Transaction, value: JSONValue) => void;
  /** The scheduled function this run belongs to. */
  scheduledFunctionId?: string;
  /** Called after an aborted attempt; true tries again without limit (scheduled runs). */
  isRetriedForever?: boolean;
};

/** `skipped`: beforeRun said no. */
export type MutationWithOutcome = MutationOutcome | { ok: "skipped" };

/** What the scheduler needs beyond FunctionRunner. */
export interface Runner extends FunctionRunner {
  runMutationWith(call: FunctionCall, options: MutationOptions): Promise<MutationWithOutcome>;
  /** What the action schedules after its job was canceled is inserted as canceled. */
  scheduledAction(call: FunctionCall, scheduledFunctionId: string | null): Promise<ActionOutcome>;
}
