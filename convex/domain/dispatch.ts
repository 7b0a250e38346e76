import { fits, labelsOf } from "./labels.js";

/** What the choice needs to know of a pending job. */
type Waiting = {
  lane: string;
  priority: number;
  /** Place in the fair order of submitters; see rankOf. */
  rank: number;
  /** Commit timestamp of its entry to the queue. */
  readyTs: bigint;
};

/** What the choice needs to know of a free slot. */
type Free = { pool: string; ordinal: number; freedTs: bigint };

/**
 * Every eighth pick goes to the job that is longest in the queue, whatever its priority. A share, not an
 * ageing of priorities: it needs no rewriting of rows as time passes, urgent work keeps seven picks
 * of eight under any load, and since only finitely many jobs are older than any given one, none
 * waits for ever: neither a low priority, nor a middle one, nor the tail of a busy submitter.
 */
export const PICKS_PER_OLDEST = 8;

/** Order of the queue: priority, then the fair order of submitters, then entry. */
function byUrgency(a: Waiting, b: Waiting): number {
  return a.priority - b.priority || a.rank - b.rank || compare(a.readyTs, b.readyTs);
}

/** Order of age. */
function byAge(a: Waiting, b: Waiting): number {
  return compare(a.readyTs, b.readyTs);
}

/** Order of slots: ordinal first, so that work spreads over executors before it piles up on one. */
function bySpread(a: Free, b: Free): number {
  return a.ordinal - b.ordinal || compare(a.freedTs, b.freedTs);
}

/** How many of the next `count` picks go to the oldest job, when this many were made before. */
export function oldestPicks(made: number, count: number): number {
  return Math.floor((made + count) / PICKS_PER_OLDEST) - Math.floor(made / PICKS_PER_OLDEST);
}

/**
 * The jobs in the order in which they are picked: by urgency, but for every eighth, which is the
 * oldest of those left. Each job comes once.
 */
export function picks<Job extends Waiting & { id: unknown }>(
  urgent: readonly Job[],
  { oldest, made }: { oldest: readonly Job[]; made: number },
): Job[] {
  const fronts = { urgent: [...urgent].sort(byUrgency), oldest: [...oldest].sort(byAge) };
  const taken = new Set<unknown>();
  const order: Job[] = [];
  const total = new Set([...urgent, ...oldest].map((job) => job.id)).size;
  const next = (line: readonly Job[]) => line.find((job) => !taken.has(job.id));
  while (order.length < total) {
    const isOldestTurn = (made + order.length + 1) % PICKS_PER_OLDEST === 0;
    const lines = isOldestTurn ? [fronts.oldest, fronts.urgent] : [fronts.urgent, fronts.oldest];
    const job = lines.map(next).find((found) => found !== undefined);
    if (job === undefined) break;
    taken.add(job.id);
    order.push(job);
  }
  return order;
}

/**
 * Pairs jobs, in the order given, with slots that fit them. Neither is used twice; a job without a
 * fitting slot waits and is in nobody's way. Of the slots that fit, the first of the pool with the
 * fewest labels is taken, so that what only few executors can run finds them free.
 */
export function choose<Job extends { lane: string }, Slot extends Free>(
  jobs: readonly Job[],
  slots: readonly Slot[],
): { job: Job; slot: Slot }[] {
  const left = [...slots].sort(bySpread);
  const pairs: { job: Job; slot: Slot }[] = [];
  for (const job of jobs) {
    const fitting = left.filter((slot) => fits(job.lane, slot.pool));
    const slot = fitting.reduce<Slot | undefined>(
      (best, each) =>
        best === undefined || poolSize(each.pool) < poolSize(best.pool) ? each : best,
      undefined,
    );
    if (slot === undefined) continue;
    left.splice(left.indexOf(slot), 1);
    pairs.push({ job, slot });
  }
  return pairs;
}

/**
 * A job's place in the fair order of its band: one after the submitter's last job there, and never
 * before the head of the queue. Submitters take turns, whoever comes back later gets no credit for
 * the time away, and no counter is kept: both are read off the queue itself.
 */
export function rankOf(head: number | undefined, lastOwn: number | undefined): number {
  if (head === undefined) return 0;
  return lastOwn === undefined ? head : Math.max(head, lastOwn + 1);
}

/** What the dispatcher waits for once a pass is done. */
export type Rest = "scheduled" | "needsJobs" | "needsSlots" | "needsMatch" | "needsRoom" | "paused";

/** What is left of both: the lanes that have a job, the pools that have a free slot. */
type Left = { lanes: readonly string[]; pools: readonly string[] };

/** Goes on while a job and a slot that fit are left; else sleeps until what is lacking appears. */
export function rest({ lanes, pools }: Left): Rest {
  if (pools.length === 0) return "needsSlots";
  if (lanes.length === 0) return "needsJobs";
  return pools.some((pool) => lanes.some((lane) => fits(lane, pool))) ? "scheduled" : "needsMatch";
}

/**
 * A job that became pending; a slot of a pool that became free; an attempt that ended without freeing
 * one.
 */
export type News = { kind: "job" } | { kind: "slot"; pool: string } | { kind: "room" };

/** How the dispatcher sleeps: of the pools in `unfit` it knows that no waiting job fits them. */
type Sleep = { status: Rest; unfit?: readonly string[] | undefined };

/** Whether this news wakes a dispatcher that sleeps so. */
export function isWokenBy({ status, unfit = [] }: Sleep, news: News): boolean {
  switch (status) {
    case "needsJobs":
      return news.kind === "job";
    case "needsSlots":
      return news.kind === "slot";
    case "needsMatch":
      return news.kind === "job" || (news.kind === "slot" && !unfit.includes(news.pool));
    case "needsRoom":
      return news.kind !== "job";
    case "scheduled":
    case "paused":
      return false;
  }
}

/** Whether in this status no waiting job fits a free slot: one that comes now would be the next. */
export function isFitting(status: Rest): boolean {
  return status === "needsJobs" || status === "needsMatch";
}

/** Ordinals of an executor's slots that nothing occupies. */
export function freeOrdinals(slots: number, occupied: readonly number[]): number[] {
  return Array.from({ length: slots }, (_, ordinal) => ordinal).filter(
    (o) => !occupied.includes(o),
  );
}

function poolSize(pool: string): number {
  return labelsOf(pool).length;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
