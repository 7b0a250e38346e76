/** SIGKILL and restart of the real process under load, over and over, with an audit after each. */
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";
import { Book, faultsOf, fire, startLoad } from "./fireLoad.js";
import { fireSettings, seeded, type Random } from "./fireRandom.js";
import {
  type BackendProcess,
  deploy,
  httpClient,
  launchBackend,
  startBackend,
} from "./wireSupport.js";

const CYCLES_BOUNDED = 14;
const CYCLE_MS_MAX = 30_000;
const START_KILLS_MAX = 3;
const SOCKETS = 3;
const HTTP_CLIENTS = 2;
/** Below the range from which systems take outgoing ports, so that nothing else gets it between two starts. */
const FIRST_PORT = 20_000;
const PORTS = 8_000;
const APP = path.join(import.meta.dirname, "fixtures/fire");

const { seed, cycles } = fireSettings(CYCLES_BOUNDED);

async function again(before: BackendProcess, random: Random, tally: Tally) {
  const options = {
    dataDir: before.dataDir,
    args: ["--port", String(before.port), "--site-port", "0"],
  };
  // Now and then it dies while it starts: recovery must bear being cut off as well.
  for (let died = 0; died < START_KILLS_MAX && random.chance(0.2); died += 1) {
    const child = await launchBackend(options);
    await sleep(random.int(400));
    await child.end();
    tally.killedAtStart += 1;
  }
  return startBackend(options);
}

type Tally = { killedAtStart: number; killed: number };

test(
  `nothing acknowledged is lost, nothing doubled, nothing torn over ${cycles} kills (seed ${seed})`,
  async () => {
    const random = seeded(seed);
    const book = new Book();
    const tally: Tally = { killedAtStart: 0, killed: 0 };
    let backend = await startBackend({
      dataDir: path.join(tempDir("fire"), "data"),
      args: ["--port", String(FIRST_PORT + random.int(PORTS)), "--site-port", "0"],
    });
    const pushed = await deploy(backend, APP);
    expect(pushed.code, pushed.stderr).toBe(0);
    const load = startLoad(backend.url, { sockets: SOCKETS, book, random });
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      book.round = cycle;
      load.writeOverHttp(backend, HTTP_CLIENTS);
      // Most kills hit sockets that are at work, the others come before these are back.
      const prefix = random.chance(0.7) ? "ws" : "http";
      await book.more(1 + random.int(30), (key) => key.startsWith(prefix));
      await sleep(random.int(8));
      await backend.end("SIGKILL");
      tally.killed += 1;
      backend = await again(backend, random, tally);
      for (const round of [cycle - 1, cycle].filter((n) => n >= 0)) {
        const faults = await faultsOf(backend, { book, round, isFinal: false });
        expect(faults, `seed ${seed}, cycle ${cycle}, round ${round}`).toEqual([]);
      }
    }
    await load.stop();
    await waitFor(
      "scheduled functions to end",
      async () => (await httpClient(backend).query(fire.waiting, {})) === 0,
    );
    for (let round = 0; round < Math.max(1, cycles); round += 1) {
      const faults = await faultsOf(backend, { book, round, isFinal: true });
      expect(faults, `seed ${seed}, round ${round} at the end`).toEqual([]);
    }
    expect(book.refused).toEqual([]);
    const { sent, acknowledged } = book;
    process.stdout.write(
      `fire kill: seed ${seed}, ${tally.killed} kills under load, ${tally.killedAtStart} at start, ` +
        `${sent.size} mutations sent, ${acknowledged.size} acknowledged\n`,
    );
  },
  CYCLE_MS_MAX * (cycles + 4),
);
