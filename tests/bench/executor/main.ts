/**
 * `npm run bench:executor`: what an executor costs on this machine, over the real parts: the embedded
 * backend, the real CLI, a scripted model that answers at once. Prints figures and judges none of them.
 */
import { cpus } from "node:os";
import { killChildrenOnExit } from "../../../cli/childProcess.js";
import { load, say } from "../embedded/stats.js";
import { resume } from "./resume.js";
import { runs } from "./runs.js";
import { bundle, starts } from "./start.js";
import { join, openWorld } from "./world.js";

const STOP_MS = 8_000;

killChildrenOnExit();
const world = await openWorld();
try {
  say(`Node ${process.version}, ${String(cpus().length)} cores, load ${load()} at the start`);
  bundle(world.root);
  // Enrols the identity that the starts below begin with.
  await (await join(world)).stop(STOP_MS);
  await starts(world);
  await runs(world);
  await resume(world);
  say(`load ${load()} at the end`);
} finally {
  await world.close();
}
