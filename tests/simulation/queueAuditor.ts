/**
 * What must hold in a simulated world. At each commit: state changes go by the table and leave an event
 * each, tokens only grow, no stale token changes anything, nobody is assigned who must not be. After
 * each step: the self-audit over what was touched. Every so often, and at the end: all of it.
 */
import type { Doc } from "../../convex/_generated/dataModel.js";
import { fits, signature } from "../../convex/domain/labels.js";
import {
  isHeld,
  isTerminal,
  rowOf,
  rowsOf,
  step,
  type EventKind,
  type Row,
} from "../../convex/domain/lifecycle.js";
import * as Controls from "../../convex/model/controls.js";
import * as Gates from "../../convex/model/gates.js";
import * as Lines from "../../convex/model/lines.js";
import * as SelfAudit from "../../convex/model/selfAudit.js";
import { type Cursor, PARTS, type Page, type Violation } from "../../convex/protocol/selfAudit.js";
import type { Document, Transaction } from "../../embedded/engine/transaction.js";
import { type Call, NOBODY, type QueueBackend } from "./queueBackend.js";
import { readerOf } from "./queueReader.js";

/** Steps between two looks at everything. */
const WHOLE_EVERY = 50;
const PAGES_MAX = 1_000;
/** Calls of executors that carry a token. */
const FENCED = new Set(["executors:start", "executors:phase", "executors:finish", "logs:append"]);

/** Something is not as it must be. */
export class Violated extends Error {}

type Job = Doc<"jobs">;
type Change = { before: Job | null; after: Job | null };

export class Auditor {
  readonly #backend: QueueBackend;
  readonly #jobs = new Set<string>();
  readonly #executors = new Set<string>();
  readonly #assigned = new Set<string>();
  /** The run that was accepted for each attempt, by job and token. */
  readonly #accepted = new Map<string, { from: string; kind: string }>();
  #steps = 0;

  constructor(backend: QueueBackend) {
    this.#backend = backend;
  }

  /** Looks at what a mutation has just committed. */
  onCommit(tx: Transaction, call: Call): void {
    const events: Doc<"events">[] = [];
    const changes: Change[] = [];
    for (const { table, before, after } of tx.writes.writes()) {
      // Rows are of the schema's types: the engine checks them.
      const row = (after ?? before)?.value;
      if (row === undefined) continue;
      if (table.name === "jobs") {
        changes.push({
          before: (before?.value ?? null) as Job | null,
          after: (after?.value ?? null) as Job | null,
        });
      }
      if (table.name === "events" && before === null) events.push(row as unknown as Doc<"events">);
      this.#touch(table.name, row);
    }
    for (const change of changes) this.#checkChange(change, events, call);
  }

  #touch(table: string, { _id, jobId, executorId }: Document): void {
    if (table === "jobs") this.#jobs.add(_id);
    if (table === "executors") this.#executors.add(_id);
    if (typeof jobId === "string") this.#jobs.add(jobId);
    if (typeof executorId === "string") this.#executors.add(executorId);
  }

  #checkChange({ before, after }: Change, events: readonly Doc<"events">[], call: Call): void {
    if (after === null) throw new Violated(`A job was deleted by ${call.name}.`);
    for (const job of [before, after]) {
      if (job !== null && isHeld(job.state)) this.#executors.add(job.state.executorId);
    }
    const own = events.filter((event) => event.jobId === after._id).sort((a, b) => a.seq - b.seq);
    const fault =
      before === null ? null : (faultOf({ before, after }, own) ?? staleFault(before, call));
    if (fault !== null) throw new Violated(`Job ${after._id}, ${call.name}: ${fault}`);
    if (after.state.kind === "assigned" && before?.state.kind !== "assigned")
      this.#assigned.add(after._id);
  }

  /** An executor heard that the end it reported was accepted. */
  onAccepted(call: Call, from: string): void {
    const { jobId, token, outcome } = call.args as {
      jobId: string;
      token: number;
      outcome: { kind: string };
    };
    const key = `${jobId} ${token}`;
    const earlier = this.#accepted.get(key);
    if (earlier === undefined) this.#accepted.set(key, { from, kind: outcome.kind });
    else if (earlier.from !== from) {
      throw new Violated(`Attempt ${key} was ended by ${earlier.from} and again by ${from}.`);
    }
  }

  /** After a step: what was touched, and now and then everything. */
  async afterStep(): Promise<void> {
    this.#steps += 1;
    const tx = this.#backend.engine.begin();
    try {
      const ctx = readerOf(tx);
      const found: Violation[] = [...(await SelfAudit.check(ctx, "system", 0)).violations];
      const jobs = [...this.#jobs].map((id) => tx.get("jobs", id)).filter((row) => row !== null);
      const executors = [...this.#executors]
        .map((id) => tx.get("executors", id))
        .filter((row) => row !== null);
      // Rows are of the schema's types: the engine checks them.
      found.push(...(await SelfAudit.ofJobs(ctx, jobs as unknown as Job[])));
      found.push(...(await SelfAudit.ofExecutors(ctx, executors as unknown as Doc<"executors">[])));
      for (const id of this.#assigned) await this.#checkAssigned(tx, id);
      this.#jobs.clear();
      this.#executors.clear();
      this.#assigned.clear();
      assertNone(found);
    } finally {
      tx.abort();
    }
    if (this.#steps % WHOLE_EVERY === 0) await this.#whole(PARTS);
  }

  /** Everything, at the end. */
  async atEnd(): Promise<void> {
    await this.#whole([...PARTS, "everything"]);
    const tx = this.#backend.engine.begin();
    for (const row of tx.scan("jobs")) this.#checkEffects(tx, row as unknown as Job);
    for (const row of tx.scan("leases")) {
      const { owed } = row as unknown as Doc<"leases">;
      if (owed.length > 0) throw new Violated(`A lease still owes ${owed.length} slots.`);
    }
    tx.abort();
  }

  /** Exactly one run of a job that succeeded was accepted as its success, and no run of any other job. */
  #checkEffects(tx: Transaction, job: Job): void {
    const range = [{ type: "Eq" as const, fieldPath: "jobId", value: job._id }];
    const rows = [
      ...tx.scan("attempts", { index: "by_job", range }),
    ] as unknown as Doc<"attempts">[];
    const wrong = (why: string) => new Violated(`Job ${job._id} is ${job.state.kind}: ${why}.`);
    if (!isTerminal(job.state.kind)) throw wrong("it never ended");
    const successes = rows.filter((row) => row.end.kind === "succeeded").length;
    if (successes !== (job.state.kind === "succeeded" ? 1 : 0)) {
      throw wrong(`it succeeded ${successes} times`);
    }
    for (const row of rows) {
      const fault = endFault(row, this.#accepted.get(`${job._id} ${row.token}`)?.kind ?? null);
      if (fault !== null) throw wrong(fault);
    }
    const known = new Set(rows.map((row) => `${job._id} ${row.token}`));
    for (const key of this.#accepted.keys()) {
      if (key.startsWith(job._id) && !known.has(key)) throw wrong(`${key} is kept nowhere`);
    }
  }

  /** Who was assigned may run: its time has come, what it comes after has ended, limits have room. */
  async #checkAssigned(tx: Transaction, id: string): Promise<void> {
    const job = tx.get("jobs", id) as unknown as Job | null;
    if (job === null || !isHeld(job.state)) return;
    const ctx = readerOf(tx);
    const executor = tx.get(
      "executors",
      job.state.executorId,
    ) as unknown as Doc<"executors"> | null;
    const wrong = (why: string) => new Violated(`Job ${id} was assigned: ${why}.`);
    if (executor === null || !fits(job.lane, signature(executor.labels)))
      throw wrong("labels differ");
    if ((job.unmet ?? 0) > 0) throw wrong(`it comes after ${job.unmet} more`);
    if ((job.runAt ?? 0) > Date.now()) throw wrong("its time has not come");
    const { paused, limits } = await Controls.get(ctx);
    if (paused !== null) throw wrong("the queue is paused");
    if (
      limits.running !== null &&
      (await Lines.countHeld(ctx, limits.running + 1)) > limits.running
    ) {
      throw wrong(`more than ${limits.running} run`);
    }
    for (const gate of Gates.gatesOf(job)) {
      const held = await Gates.holders(ctx, gate, 64);
      // Full is right, now that it runs; over is not. A gate that it filled is full without it.
      const without = held.filter((holder) => holder._id !== job._id).length;
      if (!(await hasRoom(ctx, gate, without))) throw wrong(`${gate} has no room`);
    }
  }

  async #whole(parts: readonly Page_[]): Promise<void> {
    for (const part of parts) {
      let cursor: Cursor = 0;
      for (let pages = 0; ; pages += 1) {
        if (pages === PAGES_MAX) throw new Violated(`The audit of ${part} does not end.`);
        const args = { part, cursor };
        // What selfAudit:check returns.
        const page = (await this.#backend.query({
          name: "selfAudit:check",
          args,
          identity: NOBODY,
        })) as Page;
        assertNone(page.violations);
        if (page.isDone) break;
        ({ cursor } = page);
      }
    }
  }
}
type Page_ = Parameters<typeof SelfAudit.check>[1];

/** As what an accepted end may be kept: of a job that was asked to cancel, as canceled. */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  succeeded: ["succeeded", "canceled"],
  failed: ["failed", "canceled"],
  interrupted: ["interrupted", "canceled"],
  canceled: ["canceled"],
};

async function hasRoom(
  ctx: ReturnType<typeof readerOf>,
  gate: string,
  count: number,
): Promise<boolean> {
  const { limits } = await Controls.get(ctx);
  const own = (await Gates.list(ctx)).find((row) => row.gate === gate);
  const limit =
    own === undefined ? (gate.startsWith("key:") ? limits.perKey : limits.perSubmitter) : own.limit;
  return limit === null || count < limit;
}

/** What is wrong with a change of a job, beside the events that came with it. */
function faultOf(
  { before, after }: { before: Job; after: Job },
  own: readonly Doc<"events">[],
): string | null {
  if (after.token < before.token || after.attempt < before.attempt)
    return "Its token or attempt fell back.";
  if (own.length !== after.events - before.events) {
    return `It counts ${after.events - before.events} events more, and ${own.length} were written.`;
  }
  let row: Row = rowOf(before.state, before.cancelRequestedAt !== undefined);
  for (const { cause, from, to } of own) {
    // Causes but the first are events of the table.
    const cell = step(row, cause as EventKind);
    if (from !== row) return `An event leaves from ${from}; it was ${row}.`;
    if (typeof cell === "string" || !rowsOf(cell.to).some((target) => target === to)) {
      return `${cause} led from ${row} to ${to}.`;
    }
    row = to as Row;
  }
  const now = rowOf(after.state, after.cancelRequestedAt !== undefined);
  return now === row ? null : `It is ${now}; its events lead to ${row}.`;
}

/** What is wrong with the end that is kept of an attempt, beside the one its executor was told is accepted. */
function endFault(row: Doc<"attempts">, accepted: string | null): string | null {
  const { kind } = row.end;
  const isRight =
    accepted === null
      ? !row.finishedByExecutor
      : row.finishedByExecutor && KEPT[accepted]?.includes(kind) === true;
  return isRight
    ? null
    : `attempt ${row.attempt} ended ${accepted ?? "unheard"}, and ${kind} is kept`;
}

/** A call with a token may change a job only under the token that the job had. */
function staleFault(before: Job, { name, args }: Call): string | null {
  if (!FENCED.has(name) || args["jobId"] !== before._id || args["token"] === before.token)
    return null;
  return `A token changed it that was not ${before.token}, its own.`;
}

function assertNone([first, ...more]: readonly Violation[]): void {
  if (first === undefined) return;
  throw new Violated(`${first.invariant} at ${first.id}: ${first.detail} (${more.length} more)`);
}
