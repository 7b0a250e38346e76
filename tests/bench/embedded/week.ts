/**
 * A week of job logs, written and kept one day. The clock of the backend is moved, so that a day takes
 * seconds; what is scaled is said in the output.
 */
import { api, startServer } from "./server.js";
import { note, say, shown } from "./stats.js";

const DAYS = 7;
const HOURS = 24;
const HOUR_MS = 3_600_000;
/** Of the chunks of a busy day (500 jobs, 200 chunks of 4 KiB each). */
const CHUNKS_PER_HOUR = 1_000;
const CHUNKS_PER_MUTATION = 20;
const TEXT = "log ".repeat(1_024);
const KEPT_MS = 24 * HOUR_MS;
const SWEEP_MAX = 500;
/** After the first two days file and memory may grow by no more than this. */
const GROWTH_MAX = 1.25;

export async function week(): Promise<void> {
  const perDay = CHUNKS_PER_HOUR * HOURS;
  say(
    `a week of job logs: ${perDay.toLocaleString("en")} chunks of 4 KiB a day (a quarter of 500 jobs with 200 chunks each), kept one day, the clock moved by the hour`,
  );
  const server = await startServer({ isSynced: false });
  const client = server.client();
  let nowMs = Date.now();
  const figures: { disk: number; memory: number }[] = [];
  for (let day = 1; day <= DAYS; day += 1) {
    for (let hour = 0; hour < HOURS; hour += 1) {
      const job = `day${String(day)}hour${String(hour)}`;
      for (let from = 0; from < CHUNKS_PER_HOUR; from += CHUNKS_PER_MUTATION) {
        await client.mutation(api.appendChunks, {
          job,
          from,
          count: CHUNKS_PER_MUTATION,
          text: TEXT,
        });
      }
      const moved = await server.post("/control/time", JSON.stringify({ advanceMs: HOUR_MS }));
      nowMs = (moved as { nowMs: number }).nowMs;
      await sweep(client, nowMs - KEPT_MS);
    }
    const figure = { disk: server.diskMb(), memory: server.memoryMb() };
    figures.push(figure);
    note(
      `  day ${String(day)}`,
      `data ${shown(figure.disk)} MB, memory ${shown(figure.memory)} MB`,
    );
  }
  const [second, last] = [figures[1], figures.at(-1)];
  if (second !== undefined && last !== undefined) {
    note(
      "growth from day 2 to day 7",
      `data ${shown(last.disk / second.disk)}, memory ${shown(last.memory / second.memory)}`,
      `< ${String(GROWTH_MAX)}`,
    );
  }
  await server.end();
}

async function sweep(
  client: {
    mutation: (
      ref: typeof api.sweepChunks,
      args: { before: number; max: number },
    ) => Promise<number>;
  },
  before: number,
): Promise<void> {
  let removed = SWEEP_MAX;
  while (removed === SWEEP_MAX) {
    removed = await client.mutation(api.sweepChunks, { before, max: SWEEP_MAX });
  }
}
