/** Official clients that write without pause over crashes, and the book of what they were told. */
import { makeFunctionReference } from "convex/server";
import { httpClient, TestClient } from "./wireSupport.js";
import type { Random } from "./fireRandom.js";

type Later = "nothing" | "mutation" | "action";
type Put = { key: string; client: string; round: number; later: Later };
type Entry = { key: string; client: string };
type Audit = {
  rows: Entry[];
  totals: { client: string; count: number }[];
  traces: { key: string; kind: string }[];
  coins: number;
};

/** The fixture's functions. */
export const fire = {
  put: makeFunctionReference<"mutation", Put, string>("fire:put"),
  audit: makeFunctionReference<"query", { round: number }, Audit>("fire:audit"),
  consistency: makeFunctionReference<"query", { round: number }, { rows: number; found: number }>(
    "fire:consistency",
  ),
  waiting: makeFunctionReference<"query", Record<string, never>, number>("fire:waiting"),
};

/** What was sent and what was acknowledged. */
export class Book {
  round = 0;
  readonly sent = new Map<string, Put>();
  readonly acknowledged = new Set<string>();
  readonly refused: string[] = [];
  #next = 0;
  readonly #watchers = new Set<() => void>();

  write(client: string, later: Later): Put {
    const key = `${client}-${this.#next}`;
    this.#next += 1;
    const put = { key, client, round: this.round, later };
    this.sent.set(key, put);
    return put;
  }

  acknowledge(key: string): void {
    this.acknowledged.add(key);
    for (const look of [...this.#watchers]) look();
  }

  ofRound(round: number): Put[] {
    return [...this.sent.values()].filter((put) => put.round === round);
  }

  /** Resolves after `count` more acknowledgements to clients whose name fits. */
  async more(count: number, fits: (key: string) => boolean): Promise<void> {
    const counted = () => [...this.acknowledged].filter(fits).length;
    const goal = counted() + count;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (counted() < goal) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
    });
  }
}

const IN_FLIGHT = 4;
/** Bounds what one audit has to read. */
const HTTP_PUTS_MAX = 100;

const laterOf = (random: Random): Later =>
  random.pick(["nothing", "mutation", "mutation", "action"]);

export type Load = {
  /** HTTP clients write until their backend dies or they have written enough. */
  writeOverHttp(backend: { url: string }, clients: number): void;
  stop(): Promise<void>;
};

/** Starts `sockets` clients that keep four mutations each in flight, for as long as it runs. */
export function startLoad(
  url: string,
  options: { sockets: number; book: Book; random: Random },
): Load {
  const { book, random } = options;
  let isRunning = true;
  const work: Promise<void>[] = [];
  const overSocket = async ({ client }: TestClient, name: string) => {
    while (isRunning) {
      const put = book.write(name, laterOf(random));
      // A client that stays open sends again until it is answered; only a refusal rejects.
      try {
        await client.mutation(fire.put, put);
        book.acknowledge(put.key);
      } catch (error) {
        book.refused.push(`${put.key}: ${String(error)}`);
      }
    }
  };
  for (let at = 0; at < options.sockets; at += 1) {
    const client = new TestClient(url);
    for (let lane = 0; lane < IN_FLIGHT; lane += 1) work.push(overSocket(client, `ws${at}`));
  }
  return {
    writeOverHttp: (backend, clients) => {
      for (let at = 0; at < clients; at += 1) {
        const http = httpClient(backend);
        const overHttp = async () => {
          for (let count = 0; isRunning && count < HTTP_PUTS_MAX; count += 1) {
            const put = book.write(`http${at}`, laterOf(random));
            await http.mutation(fire.put, put, { skipQueue: true });
            book.acknowledge(put.key);
          }
        };
        // The backend died under it: what was not acknowledged may or may not be there.
        work.push(overHttp().catch(() => undefined));
      }
    },
    stop: async () => {
      isRunning = false;
      await Promise.all(work);
    },
  };
}

/** Everything that is wrong with a round, in words; none when all is well. */
export async function faultsOf(
  backend: { url: string },
  { book, round, isFinal }: { book: Book; round: number; isFinal: boolean },
): Promise<string[]> {
  const http = httpClient(backend);
  const sent = new Map(book.ofRound(round).map((put) => [put.key, put]));
  const acknowledged = [...sent.keys()].filter((key) => book.acknowledged.has(key));
  const { rows, totals, traces, coins } = await http.query(fire.audit, { round });
  const { rows: counted, found } = await http.query(fire.consistency, { round });
  const keys = rows.map(({ key }) => key);
  const there = new Set(keys);
  const faults = [
    ...acknowledged.filter((key) => !there.has(key)).map((key) => `lost: ${key}`),
    ...doubles(keys).map((key) => `applied twice: ${key}`),
    ...keys.filter((key) => !sent.has(key)).map((key) => `never sent: ${key}`),
    ...doubles(traces.map(({ key, kind }) => `${kind} ${key}`)).map((what) => `twice: ${what}`),
    ...traces.filter(({ key }) => !there.has(key)).map(({ key }) => `without cause: ${key}`),
  ];
  if (coins !== 0) faults.push(`torn: the purses hold ${coins}`);
  if (counted !== found) faults.push(`torn: ${counted} rows by one index, ${found} by all`);
  for (const { client, count } of totals) {
    const its = rows.filter((row) => row.client === client).length;
    if (its !== count) faults.push(`torn: ${client} has ${its} rows and a count of ${count}`);
  }
  if (!isFinal) return faults;
  const settled = new Set(traces.filter(({ kind }) => kind === "settled").map(({ key }) => key));
  for (const key of there) {
    if (sent.get(key)?.later === "mutation" && !settled.has(key)) faults.push(`not run: ${key}`);
  }
  return faults;
}

const doubles = (items: string[]): string[] =>
  items.filter((item, at) => items.indexOf(item) !== at);
