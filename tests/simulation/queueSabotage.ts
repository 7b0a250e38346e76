/** Faults planted in a simulated queue, to see that the auditor finds them. */
import { ReadSet } from "../../embedded/engine/readSet.js";
import type { Document, Transaction } from "../../embedded/engine/transaction.js";
import type { Call, QueueBackend } from "./queueBackend.js";
import { identityOf } from "./queueStage.js";

export type Sabotage = {
  /** Changes a call on its way in. */
  call?: (call: Call, backend: QueueBackend) => Call;
  /** Changes what a mutation is about to commit. */
  beforeCommit?: (tx: Transaction, call: Call) => void;
  /** Loses a scheduled run. */
  drops?: (call: Call) => boolean;
};

/** Gives each write of an executor the token and the name of who holds its job: as if nobody compared. */
function asHolder(call: Call, backend: QueueBackend): Call {
  const { jobId } = call.args;
  if (typeof jobId !== "string" || call.args["token"] === undefined) return call;
  const tx = backend.engine.begin();
  const job = tx.get("jobs", jobId);
  const state = job?.["state"];
  const holder =
    typeof state === "object" && state !== null && "executorId" in state
      ? state["executorId"]
      : null;
  const row = typeof holder === "string" ? tx.get("executors", holder) : null;
  tx.abort();
  if (job === null || row === null) return call;
  const { _id: subject, boot, bootAt, epoch } = row;
  const claims = {
    subject,
    boot: typeof boot === "string" ? boot : "",
    bootAt: Number(bootAt),
    epoch: Number(epoch),
  };
  const args = { ...call.args, token: job["token"] ?? 0 };
  return { ...call, args, identity: identityOf("executor", claims) };
}

/** Rows of a table that the transaction puts in. */
function inserted(tx: Transaction, table: string): Document[] {
  return [...tx.writes.writes()].flatMap((write) =>
    write.table.name === table && write.before === null && write.after !== null
      ? [write.after.value]
      : [],
  );
}

/** Rows of a table that the transaction changes, as they will be. */
function changed(tx: Transaction, table: string): Document[] {
  return [...tx.writes.writes()].flatMap((write) =>
    write.table.name === table && write.before !== null && write.after !== null
      ? [write.after.value]
      : [],
  );
}

function withoutSystemFields({ _id, _creationTime, ...fields }: Document) {
  return { fields, was: { _id, _creationTime } };
}

/** Each is one way in which a queue goes wrong, and what the finding must say. */
export const SABOTAGES: Readonly<Record<string, { found: RegExp; sabotage: Sabotage }>> = {
  "tokens are not compared": {
    found: /was ended by|is kept/,
    sabotage: { call: asHolder },
  },
  "reads are not validated at commit": {
    found:
      /slotsConserved|fell back|events more|An event leaves|is not the|oneLiveAttempt|dispatcherAwake|timerArmed|timelineDense|attemptsDense/,
    sabotage: {
      beforeCommit: (tx) => {
        // Nothing that was read conflicts with anything any more.
        Object.defineProperty(tx, "reads", { value: new ReadSet() });
      },
    },
  },
  "the timer is lost, and the cron that is its net": {
    found: /timerArmed|deadlineKept/,
    sabotage: {
      drops: ({ name }) => name === "maintenance:wake" || name === "maintenance:reclaimExpired",
    },
  },
  "the dispatcher is not woken": {
    found: /dispatcherAwake/,
    sabotage: {
      // The cron would begin the chain anew.
      drops: ({ name }) => name === "dispatch:pass" || name === "maintenance:reclaimExpired",
    },
  },
  "a slot is given twice": {
    found: /slotsConserved/,
    sabotage: {
      beforeCommit: (tx) => {
        for (const slot of inserted(tx, "slots"))
          tx.insert("slots", withoutSystemFields(slot).fields);
      },
    },
  },
  "a state changes without an event": {
    found: /events more|timelineDense/,
    sabotage: {
      beforeCommit: (tx, { name }) => {
        if (name !== "executors:start") return;
        for (const event of inserted(tx, "events")) tx.remove("events", event._id);
      },
    },
  },
  "the record of an attempt is not kept": {
    found: /attemptsDense/,
    sabotage: {
      beforeCommit: (tx) => {
        for (const row of inserted(tx, "attempts")) tx.remove("attempts", row._id);
      },
    },
  },
  "a token is used again": {
    found: /fell back|tokensGrow/,
    sabotage: {
      beforeCommit: (tx, { name }) => {
        if (name !== "executors:finish") return;
        for (const row of changed(tx, "jobs")) tx.patch("jobs", row._id, { token: 1 });
      },
    },
  },
  "an ended prerequisite still counts": {
    found: /prerequisitesCounted/,
    sabotage: {
      beforeCommit: (tx) => {
        for (const { table, before, after } of [...tx.writes.writes()]) {
          const unmet = before?.value["unmet"];
          if (table.name !== "jobs" || after === null || unmet === after.value["unmet"]) continue;
          tx.patch("jobs", after.value._id, { unmet });
        }
      },
    },
  },
};
