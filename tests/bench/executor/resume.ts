/** What it takes to go on with a run that lost its executor at its end, beside starting over. */
import { killQuietly } from "../../../cli/processTree.js";
import { note, shown } from "../embedded/stats.js";
import { TURNS } from "./scripts.js";
import { join, submit, succeeded, watch, type World } from "./world.js";

const STOP_MS = 8_000;
const CHECKPOINT_MS = 4_000;

export async function resume(world: World): Promise<void> {
  let child = await join(world);
  try {
    const whole = await watch(world, await submit(world, "Turns"), succeeded);
    const jobId = await submit(world, "Killed");
    await world.api.reached("last");
    const { people } = world.deployment;
    await watch(world, jobId, (job) => job.latest?.spawnedAt !== undefined);
    // The model answers faster than checkpoints are made: the last one has to be there.
    await new Promise((resolve) => setTimeout(resolve, CHECKPOINT_MS));
    killQuietly(child.pid, "SIGKILL");
    await child.exited;
    world.api.release("last");
    child = await join(world);
    const job = await watch(world, jobId, succeeded);
    const [last] = await people.listAttempts(jobId);
    const requests = world.api.requests.filter(
      ({ kind, conversation }) => kind === "main" && conversation.prompt.includes("Killed"),
    ).length;
    const ms = (report = job.latest?.report): number =>
      (report?.cloneMs ?? 0) + (report?.cliMs ?? 0);
    const over = ms(whole.latest?.report);
    note(
      `gone on with after ${String(TURNS)} turns`,
      `${shown(ms())} ms of clone and CLI, restored after ${shown(last?.resumption?.ms ?? NaN)} ms`,
    );
    note(
      "starting over instead",
      `${shown(over)} ms of clone and CLI, with a model that answers at once`,
    );
    note(
      "model requests",
      `${String(requests)} in all; ${String(TURNS + 1)} at the least, ${String(2 * TURNS + 2)} starting over`,
    );
  } finally {
    await child.stop(STOP_MS);
  }
}
