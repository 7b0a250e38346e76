/** What must hold of everything the simulated clients and schedules left behind. */
import type { Runner } from "../../embedded/functions/runner.js";
import { call, valueOf } from "../embedded/coreSupport.js";
import type { Put } from "./embeddedClient.js";
import { START_MS } from "./embeddedDeployed.js";

/** The period of the fixture's cron. */
const CRON_MS = 600_000;

export type Known = {
  acknowledged: ReadonlySet<string>;
  sent: ReadonlyMap<string, Put>;
  /** The latest time that any clock showed. */
  latestMs: number;
  isForward: boolean;
};
type Audit = {
  rows: { key: string; client: string }[];
  totals: { client: string; count: number }[];
  traces: { key: string; kind: string }[];
  coins: number;
};

/** To be asked when everything has come to rest. */
export async function auditWorld(
  runner: Runner,
  known: Known,
): Promise<{ faults: string[]; ticks: number }> {
  const ask = async (round: number) =>
    valueOf<Audit>(await runner.query(call("fire:audit", { round })));
  const { rows, totals, traces, coins } = await ask(0);
  const keys = rows.map(({ key }) => key);
  const marks = traces.map(({ key, kind }) => `${kind} ${key}`);
  const ticks = (await ask(-1)).traces.map(({ key }) => Number(key));
  const isDue = (key: string) => known.sent.get(key)?.later === "mutation";
  const faults = [
    ...[...known.acknowledged].filter((key) => !keys.includes(key)).map((key) => `lost: ${key}`),
    ...doubles(keys).map((key) => `applied twice: ${key}`),
    ...doubles(marks).map((mark) => `twice: ${mark}`),
    ...traces.filter(({ key }) => !keys.includes(key)).map(({ key }) => `no cause: ${key}`),
    ...totals
      .filter(({ client, count }) => rows.filter((r) => r.client === client).length !== count)
      .map(({ client, count }) => `torn: ${client} counts ${count}`),
    ...(coins === 0 ? [] : [`torn: the purses hold ${coins}`]),
    ...cronFaults(ticks, known),
    ...keys
      .filter((key) => isDue(key) && !marks.includes(`settled ${key}`))
      .map((key) => `not run: ${key}`),
  ];
  return { faults, ticks: ticks.length };
}

/** A run that began before the clock was set back may bear an earlier slot's time: then only the number counts. */
function cronFaults(ticks: number[], { latestMs, isForward }: Known): string[] {
  const slotOf = (ms: number) => Math.floor((ms - START_MS) / CRON_MS);
  const slots = slotOf(latestMs) + 1;
  if (ticks.length > slots) return [`cron ran ${ticks.length} times in ${slots} slots`];
  if (!isForward) return [];
  return doubles(ticks.map((ms) => String(slotOf(ms)))).map((slot) => `cron twice in slot ${slot}`);
}

const doubles = (items: string[]): string[] =>
  items.filter((item, at) => items.indexOf(item) !== at);
