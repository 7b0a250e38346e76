/** What changes with the number of documents: reads, start, memory. */
import { api, startServer, type BenchServer } from "./server.js";
import { figure, note, shown, timed } from "./stats.js";

const FEW = 1_000;
const RESTART_DOCUMENTS = 100_000;
const RUNS = 200;
const WARM_UP = 50;
/** Reads of one query: enough that the way there and back does not hide them. */
const POINTS = 100;
const RANGES = 10;
const RANGE_LENGTH = 100;
const RESTARTS = 5;
const LINES_PER_PART = 50_000;
const TEXT = "x".repeat(200);
const IDLE_READINGS = 5;

/** Point and range reads at few and at many documents, turn by turn; memory with many. */
export async function reads(documents: number): Promise<void> {
  const places = [await filled(FEW), await filled(documents)] as const;
  for (const [name, prepare] of Object.entries(READS)) {
    const runs = [await prepare(places[0]), await prepare(places[1])] as const;
    const taken: [number[], number[]] = [[], []];
    // In turns, so that both suffer the same from what else the machine does.
    for (let run = 0; run < RUNS + WARM_UP; run += 1) {
      for (const which of [0, 1] as const) {
        const [ms = 0] = await timed({ runs: 1, warmUp: 0 }, runs[which]);
        if (run >= WARM_UP) taken[which].push(ms);
      }
    }
    const few = figure(`${name}, ${label(FEW)}`, taken[0]);
    const many = figure(`${name}, ${label(documents)}`, taken[1]);
    note(`  ratio`, shown(many / few), "< 1.5");
  }
  const aim = documents >= 1_000_000 ? "< 300 MB" : "";
  const { server } = places[1];
  note(
    `memory with ${label(documents)} on disk`,
    `${shown(server.memoryMb())} MB after reads, data ${shown(server.diskMb())} MB`,
    aim,
  );
  await Promise.all(places.map((place) => place.server.end()));
  const again = await startServer({ dataDir: server.dataDir, isDeployed: false });
  await again.http().query(api.points, { ns: [1] });
  note(`  after a restart`, `${shown(again.memoryMb())} MB`, aim);
  await again.end();
}

type Place = { server: BenchServer; documents: number };

async function filled(documents: number): Promise<Place> {
  const server = await startServer();
  await fill(server, documents);
  note(`  memory after the import`, `${shown(server.memoryMb())} MB`);
  return { server, documents };
}

/** What is read, by name; each query reads enough that the way there and back does not hide it. */
const READS: Record<string, (place: Place) => Promise<() => Promise<void>>> = {
  "one point read by index": (place) => pointReads(place, 1),
  [`${POINTS} point reads by index`]: (place) => pointReads(place, POINTS),
  [`${POINTS} gets by id`]: async ({ server, documents }) => {
    const http = server.http();
    const ns = Array.from({ length: 2_000 }, () => Math.floor(Math.random() * documents));
    const ids = await http.query(api.points, { ns });
    return async () => {
      const some = Array.from({ length: POINTS }, () => ids[randomBelow(ids.length)] ?? "");
      await http.query(api.gets, { ids: some });
    };
  },
  [`one range of ${RANGE_LENGTH}`]: (place) => rangeReads(place, 1),
  [`${RANGES} ranges of ${RANGE_LENGTH}`]: (place) => rangeReads(place, RANGES),
};

function pointReads({ server, documents }: Place, count: number): Promise<() => Promise<void>> {
  const http = server.http();
  return Promise.resolve(async () => {
    const ns = Array.from({ length: count }, () => randomBelow(documents));
    await http.query(api.points, { ns });
  });
}

function rangeReads({ server, documents }: Place, count: number): Promise<() => Promise<void>> {
  const http = server.http();
  return Promise.resolve(async () => {
    const starts = Array.from({ length: count }, () => randomBelow(documents - RANGE_LENGTH));
    await http.query(api.ranges, { starts, length: RANGE_LENGTH });
  });
}

const randomBelow = (end: number): number => Math.floor(Math.random() * end);

/** From the spawn of the process to its first answer. */
export async function restart(): Promise<void> {
  const server = await startServer();
  await fill(server, RESTART_DOCUMENTS);
  await server.end();
  const taken: number[] = [];
  for (let run = 0; run < RESTARTS; run += 1) {
    const start = performance.now();
    const again = await startServer({ dataDir: server.dataDir, isDeployed: false });
    await again.http().query(api.points, { ns: [run] });
    taken.push(performance.now() - start);
    await again.end();
  }
  figure(`restart with ${label(RESTART_DOCUMENTS)} to first answer`, taken, "< 1,000 ms");
}

export async function idleMemory(): Promise<void> {
  const server = await startServer();
  await server.http().query(api.value, { tag: "none" });
  const readings: number[] = [];
  for (let reading = 0; reading < IDLE_READINGS; reading += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    readings.push(server.memoryMb());
  }
  note("memory idle", `${shown(Math.max(...readings))} MB`, "< 120 MB");
  await server.end();
}

/** Imports documents as the official CLI does. */
async function fill(server: BenchServer, documents: number): Promise<void> {
  const start = performance.now();
  const { uploadToken } = (await server.post("/api/import/start_upload", "")) as {
    uploadToken: string;
  };
  const partTokens: unknown[] = [];
  for (let from = 0; from < documents; from += LINES_PER_PART) {
    const count = Math.min(LINES_PER_PART, documents - from);
    const lines = Array.from({ length: count }, (_, at) =>
      JSON.stringify({ n: from + at, text: TEXT }),
    );
    const query = `uploadToken=${uploadToken}&partNumber=${String(partTokens.length + 1)}`;
    const body = Buffer.from(`${lines.join("\n")}\n`);
    partTokens.push(await server.post(`/api/import/upload_part?${query}`, body));
  }
  const { importId } = (await server.post(
    "/api/import/finish_upload",
    JSON.stringify({
      import: { tableName: "many", mode: "requireEmpty", format: "jsonLines" },
      uploadToken,
      partTokens,
    }),
  )) as { importId: string };
  await server.post("/api/perform_import", JSON.stringify({ importId }));
  await imported(server, importId);
  const perSecond = documents / ((performance.now() - start) / 1000);
  note(`import of ${label(documents)}`, `${perSecond.toFixed(0)} documents a second`);
}

/** Waits for the end of an import. */
async function imported(server: BenchServer, importId: string): Promise<void> {
  for (;;) {
    const answer = (await server.post(
      "/api/query",
      JSON.stringify({ path: "_system/cli/queryImport", args: { importId } }),
    )) as { value: { state: { state: string; error_message?: string } } };
    const { state, error_message } = answer.value.state;
    if (state === "completed") return;
    if (state === "failed") throw new Error(error_message);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const label = (documents: number): string => `${documents.toLocaleString("en")} documents`;
