/**
 * Runs crons. Written here: `_cron_jobs` (one row for each cron of the running deployment, changed
 * by activation and by runs) and `_cron_job_logs` (the last few runs of each).
 *
 * One run at a time for each cron; a mutation's run and the choice of the next time are one
 * transaction, an action's run is marked first and never repeated.
 */
import { convexToJson, jsonToConvex, type Value } from "convex/values";
import type { Alarm } from "../control.js";
import type { Document, Fields, Transaction } from "../engine/transaction.js";
import { type AnalyzedPush, type CronSpec, definitionAt } from "../functions/deployment.js";
import type { FunctionCall } from "../functions/types.js";
import { asSystem, scheduledCall } from "./calls.js";
import { StoreFailure } from "../store/store.js";
import { schedulerLimits } from "./limits.js";
import { firstRun, parseSchedule, runAfter, type Timetable } from "./schedules.js";
import type { SchedulerPorts } from "./scheduled.js";

const TABLE = "_cron_jobs";
const LOG_TABLE = "_cron_job_logs";
const DUE_INDEX = "by_next_ts";
const HAS_NEXT = [{ type: "Gt", fieldPath: "nextTs", value: null }] as const;

type CronRow = {
  id: string;
  /** The component that declares it. */
  componentPath: string;
  name: string;
  nextMs: number;
  timetable: Timetable;
  call: FunctionCall;
};
type Run = {
  componentPath: string;
  name: string;
  startedAt: number;
  status: "success" | "failed";
  error?: string;
};

/** What a push changes about crons, by name. */
export type CronDiff = { added: string[]; updated: string[]; deleted: string[] };

export class Crons {
  readonly #ports: SchedulerPorts;
  readonly #running = new Set<string>();
  readonly #mutationsRunning = new Set<Promise<void>>();
  #alarm: Alarm | null = null;
  #unlisten: (() => void) | null = null;
  #isStopped = false;
  readonly #idleWaiters = new Set<() => void>();

  constructor(ports: SchedulerPorts) {
    this.#ports = ports;
  }

  /** Settles runs a crash cut off and clock slots that passed meanwhile, then runs what is due. */
  async start(): Promise<void> {
    const { engine, clock } = this.#ports;
    await engine.transact((tx) => {
      for (const row of [...tx.scan(TABLE)]) settle(tx, { row, nowMs: clock.nowMs() });
    });
    this.#unlisten = engine.onTableCommit(TABLE, () => {
      this.#wake();
    });
    this.#wake();
  }

  /** Starts nothing more; resolves when running mutations have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unlisten?.();
    this.#alarm?.cancel();
    await Promise.all(this.#mutationsRunning);
  }

  /** Resolves when no cron is due and none runs. */
  async idle(): Promise<void> {
    const next = this.#peek(1)[0];
    if (this.#running.size === 0 && (next === undefined || !this.#isDue(next))) return;
    await new Promise<void>((resolve) => {
      this.#idleWaiters.add(resolve);
    });
  }

  #isDue(row: Document): boolean {
    const nextTs = row["nextTs"];
    return typeof nextTs === "number" && nextTs <= this.#ports.clock.nowMs();
  }

  #peek(limit: number): Document[] {
    const tx = this.#ports.engine.begin();
    try {
      const rows: Document[] = [];
      for (const row of tx.scan(TABLE, { index: DUE_INDEX, range: HAS_NEXT })) {
        if (rows.length >= limit) break;
        rows.push(row);
      }
      return rows;
    } finally {
      tx.abort();
    }
  }

  /** Called from alarms and commits, where nobody would hear an error. */
  #wake(): void {
    if (this.#isStopped) return;
    try {
      this.#startDue();
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      // Nothing can be read or written until the next start, which finds everything in its place.
      this.#isStopped = true;
      this.#ports.log("cron.fault", { error });
    }
  }

  #startDue(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    for (const row of this.#peek(2 * schedulerLimits.runningMax)) {
      if (this.#running.has(row._id)) continue;
      if (this.#running.size >= schedulerLimits.runningMax) return;
      const cron = toCron(row);
      if (!this.#isDue(row)) {
        this.#alarm = this.#ports.clock.alarm(cron.nextMs, () => {
          this.#wake();
        });
        break;
      }
      this.#begin(cron);
    }
    if (this.#running.size > 0) return;
    for (const resolve of this.#idleWaiters) resolve();
    this.#idleWaiters.clear();
  }

  #begin(cron: CronRow): void {
    const type = this.#ports.runner.udfTypeOf(asSystem(cron.call));
    const run = this.#runAs(type, cron)
      .catch((error: unknown) => this.#fail(cron, String(error)))
      .then(
        () => {
          this.#running.delete(cron.id);
        },
        (error: unknown) => {
          // The store cannot be written: the row stays listed as running until a restart.
          this.#ports.log("cron.fault", { cron: cron.name, error });
        },
      )
      .finally(() => {
        this.#mutationsRunning.delete(run);
        this.#wake();
      });
    this.#running.add(cron.id);
    if (type === "Mutation") this.#mutationsRunning.add(run);
  }

  async #runAs(type: string | null, cron: CronRow): Promise<void> {
    if (type === "Mutation") {
      await this.#runMutation(cron);
      return;
    }
    if (type === "Action") {
      await this.#runAction(cron);
      return;
    }
    await this.#fail(cron, `Could not find a mutation or action '${cron.call.path}'`);
  }

  async #runMutation(cron: CronRow): Promise<void> {
    const { runner, clock } = this.#ports;
    const startedAt = clock.nowMs();
    const outcome = await runner.runMutationWith(cron.call, {
      isRetriedForever: true,
      beforeRun: (tx) => isPlanned(tx, cron),
      beforeCommit: (tx) => {
        const run: Run = { ...whose(cron), startedAt, status: "success" };
        complete(tx, { cron, run, nowMs: clock.nowMs() });
      },
    });
    if (outcome.ok === false) await this.#fail(cron, outcome.error.message);
  }

  async #runAction(cron: CronRow): Promise<void> {
    const { engine, runner, clock } = this.#ports;
    const startedAt = clock.nowMs();
    const { value: isOurs } = await engine.transact((tx) => {
      if (!isPlanned(tx, cron)) return false;
      tx.patch(TABLE, cron.id, { state: "inProgress" });
      return true;
    });
    if (!isOurs) return;
    const outcome = await runner.scheduledAction(cron.call, null);
    const run: Run = outcome.ok
      ? { ...whose(cron), startedAt, status: "success" }
      : { ...whose(cron), startedAt, status: "failed", error: outcome.error.message };
    await engine.transact((tx) => {
      complete(tx, { cron, run, nowMs: clock.nowMs() });
    });
  }

  /** A failed run counts as a run: it is logged and the next one is planned. */
  async #fail(cron: CronRow, error: string): Promise<void> {
    const { engine, clock } = this.#ports;
    const startedAt = clock.nowMs();
    await engine.transact((tx) => {
      const run: Run = { ...whose(cron), startedAt, status: "failed", error };
      complete(tx, { cron, run, nowMs: clock.nowMs() });
    });
  }
}

const whose = ({ componentPath, name }: CronRow) => ({ componentPath, name });

/** Whether the row still stands for the run it was read for. */
function isPlanned(tx: Transaction, cron: CronRow): boolean {
  const row = tx.get(TABLE, cron.id);
  return row?.["nextTs"] === cron.nextMs && row["state"] === "pending";
}

function complete(tx: Transaction, end: { cron: CronRow; run: Run; nowMs: number }): void {
  const { cron, run, nowMs } = end;
  logRun(tx, run, nowMs);
  const row = tx.get(TABLE, cron.id);
  // A push may have removed or replanned the cron while it ran.
  if (row === null) return;
  const next =
    row["nextTs"] === cron.nextMs
      ? runAfter(cron.timetable, { previousMs: cron.nextMs, nowMs })
      : row["nextTs"];
  tx.patch(TABLE, cron.id, { state: "pending", nextTs: next ?? undefined, prevTs: cron.nextMs });
}

function logRun(tx: Transaction, run: Run, nowMs: number): void {
  const range = [
    { type: "Eq", fieldPath: "componentPath", value: run.componentPath },
    { type: "Eq", fieldPath: "name", value: run.name },
  ] as const;
  tx.insert(LOG_TABLE, { ...run, endedAt: nowMs });
  const runs = [...tx.scan(LOG_TABLE, { index: "by_name", range, order: "desc" })];
  for (const old of runs.slice(schedulerLimits.cronLogRuns)) tx.remove(LOG_TABLE, old._id);
}

function settle(tx: Transaction, found: { row: Document; nowMs: number }): void {
  const { row, nowMs } = found;
  const cron = toCron(row);
  if (row["state"] === "inProgress") {
    const error = "Transient error while executing action";
    const run: Run = { ...whose(cron), startedAt: cron.nextMs, status: "failed", error };
    complete(tx, { cron, run, nowMs });
    return;
  }
  const isMissed = cron.nextMs <= nowMs && cron.timetable.kind === "pattern";
  if (!isMissed) return;
  const next = runAfter(cron.timetable, { previousMs: cron.nextMs, nowMs });
  tx.patch(TABLE, cron.id, { nextTs: next ?? undefined });
}

function toCron(row: Document): CronRow {
  const { name, path, args, schedule, nextTs } = row;
  if (typeof name !== "string" || typeof path !== "string" || typeof schedule !== "string") {
    throw new Error(`cron ${row._id} is malformed`);
  }
  const [first = {}] = Array.isArray(args) ? args : [];
  const componentPath = textOf(row["componentPath"]);
  return {
    id: row._id,
    name,
    nextMs: typeof nextTs === "number" ? nextTs : 0,
    timetable: parseSchedule(JSON.parse(schedule)),
    componentPath,
    call: scheduledCall({ componentPath, path, args: convexToJson(first) }),
  };
}

type Definitions = Pick<AnalyzedPush, "definitions" | "instances">;
/** A cron by the component that declares it. */
type Declared = { componentPath: string; name: string; spec: CronSpec };

/** The crons that every component of a push declares. */
function declaredCrons(push: Definitions | null): Declared[] {
  return Object.keys(push?.instances ?? {}).flatMap((componentPath) =>
    Object.values(definitionAt(push, componentPath)?.functions ?? {}).flatMap((module) =>
      (module.cronSpecs ?? []).map(([name, spec]) => ({ componentPath, name, spec })),
    ),
  );
}

/** Throws, naming the cron, when a schedule cannot be understood. */
export function checkCrons(push: Definitions): void {
  for (const { name, spec } of declaredCrons(push)) {
    try {
      parseSchedule(spec.schedule);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`cron "${name}" has a bad schedule: ${why}`, { cause: error });
    }
  }
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What a push changes about the crons of one component. */
export function diffCrons(
  change: { before: Definitions | null; after: Definitions },
  componentPath: string,
): CronDiff {
  const ofComponent = (push: Definitions | null) =>
    new Map(
      declaredCrons(push)
        .filter((declared) => declared.componentPath === componentPath)
        .map(({ name, spec }) => [name, spec]),
    );
  const old = ofComponent(change.before);
  const next = ofComponent(change.after);
  return {
    added: [...next.keys()].filter((name) => !old.has(name)),
    updated: [...next].filter(([n, s]) => old.has(n) && !sameJson(old.get(n), s)).map(([n]) => n),
    deleted: [...old.keys()].filter((name) => !next.has(name)),
  };
}

const cronKey = (componentPath: string, name: string): string =>
  JSON.stringify([componentPath, name]);
const textOf = (value: Value | undefined): string => (typeof value === "string" ? value : "");

/** Brings the rows to what the push declares; an unchanged schedule keeps its next run. */
export function writeCrons(tx: Transaction, push: { analyzed: Definitions; nowMs: number }): void {
  const declared = new Map(
    declaredCrons(push.analyzed).map((cron) => [cronKey(cron.componentPath, cron.name), cron]),
  );
  for (const row of [...tx.scan(TABLE)]) {
    const key = cronKey(textOf(row["componentPath"]), textOf(row["name"]));
    const cron = declared.get(key);
    declared.delete(key);
    if (cron === undefined) tx.remove(TABLE, row._id);
    else updateCron(tx, { row, cron, nowMs: push.nowMs });
  }
  for (const cron of declared.values()) {
    const next = planned(cron.spec, push.nowMs);
    tx.insert(TABLE, { ...cronFields(cron), ...next, state: "pending" });
  }
}

function updateCron(
  tx: Transaction,
  change: { row: Document; cron: Declared; nowMs: number },
): void {
  const { row, cron, nowMs } = change;
  const fields = cronFields(cron);
  const isReplanned = row["schedule"] !== fields["schedule"];
  if (!isReplanned && row["path"] === fields["path"] && sameArgs(row, cron.spec)) return;
  const next = isReplanned ? { nextTs: undefined, ...planned(cron.spec, nowMs) } : {};
  tx.patch(TABLE, row._id, { ...fields, ...next });
}

const sameArgs = (row: Document, spec: CronSpec): boolean =>
  sameJson(convexToJson(row["args"] ?? []), spec.args);

const cronFields = ({ componentPath, name, spec }: Declared): Fields => ({
  componentPath,
  name,
  path: spec.name,
  args: jsonToConvex(spec.args),
  schedule: JSON.stringify(spec.schedule),
});

function planned(spec: CronSpec, nowMs: number): { nextTs?: number } {
  const next = firstRun(parseSchedule(spec.schedule), nowMs);
  return next === null ? {} : { nextTs: next };
}
