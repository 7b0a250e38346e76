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

type Reads = { points: number; gets: number; ranges: number; one: number };

/** Point and range reads at few and at many documents; memory with many. */
export async function reads(documents: number): Promise<void> {
  const few = await readsAt(FEW);
  const many = await readsAt(documents);
  const ratio = (name: keyof Reads) => shown(many[name] / few[name]);
  note(
    `ratio at ${label(documents)} to ${label(FEW)}`,
    `one read ${ratio("one")}, points by index ${ratio("points")}, gets by id ${ratio("gets")}, ranges ${ratio("ranges")}`,
    "< 1.5",
  );
}

async function readsAt(documents: number): Promise<Reads> {
  const server = await startServer();
  await fill(server, documents);
  const filledMb = server.memoryMb();
  const random = () => Math.floor(Math.random() * documents);
  const http = server.http();
  const at = label(documents);
  const options = { runs: RUNS, warmUp: WARM_UP };
  const one = figure(
    `one point read by index, ${at}`,
    await timed(options, async () => {
      await http.query(api.points, { ns: [random()] });
    }),
  );
  const ids = await http.query(api.points, { ns: Array.from({ length: 2_000 }, random) });
  const points = figure(
    `${String(POINTS)} point reads by index, ${at}`,
    await timed(options, async () => {
      await http.query(api.points, { ns: Array.from({ length: POINTS }, random) });
    }),
  );
  const gets = figure(
    `${String(POINTS)} gets by id, ${at}`,
    await timed(options, async () => {
      const some = Array.from({ length: POINTS }, () => ids[random() % ids.length] ?? "");
      await http.query(api.gets, { ids: some });
    }),
  );
  const ranges = figure(
    `${String(RANGES)} ranges of ${String(RANGE_LENGTH)}, ${at}`,
    await timed(options, async () => {
      const starts = Array.from({ length: RANGES }, () => random() % (documents - RANGE_LENGTH));
      await http.query(api.ranges, { starts, length: RANGE_LENGTH });
    }),
  );
  note(
    `memory with ${at} on disk`,
    `${shown(server.memoryMb())} MB after reads, ${shown(filledMb)} MB after the import, data ${shown(server.diskMb())} MB`,
    documents >= 1_000_000 ? "< 300 MB" : "",
  );
  await server.end();
  if (documents >= RESTART_DOCUMENTS) {
    const again = await startServer({ dataDir: server.dataDir, isDeployed: false });
    await again.http().query(api.points, { ns: [1] });
    note(`memory after a restart with ${at}`, `${shown(again.memoryMb())} MB`, "< 300 MB");
    await again.end();
  }
  return { points, gets, ranges, one };
}

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
