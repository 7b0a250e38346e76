/**
 * Snapshot exports: everything at one timestamp, as a zip file in the data folder. One runs at a
 * time and one file is kept. What became of each is a row of `_exports`, so that a client can wait.
 */
import { createReadStream, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type Value } from "convex/values";
import type { Engine } from "../../engine/engine.js";
import type { Document, Transaction } from "../../engine/transaction.js";
import type { Files } from "../../files/files.js";
import type { EventLog } from "../../http/eventLog.js";
import { HttpError } from "../../http/request.js";
import { transferLimits } from "./limits.js";
import { writeSnapshot } from "./snapshotZip.js";
import { ZipWriter } from "./zipWriter.js";

const TABLE = "_exports";
const FOLDER = "exports";
const FOLDER_MODE = 0o700;

type State = "requested" | "in_progress" | "completed" | "failed";
type ExportRow = Document & { state: State; startTs?: bigint; completeTs?: bigint };

export type ExportOptions = {
  engine: Engine;
  dataDir: string;
  componentPaths: () => string[];
  files: Files;
  log: EventLog;
};

export class Exports {
  readonly #options: ExportOptions;
  readonly #folder: string;
  #running: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: ExportOptions) {
    this.#options = options;
    this.#folder = join(options.dataDir, FOLDER);
  }

  /** Marks what an earlier process left unfinished as failed. */
  async start(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true, mode: FOLDER_MODE });
    const { engine } = this.#options;
    await engine.transact((tx) => {
      for (const row of rows(tx)) {
        if (isUnfinished(row)) tx.patch(TABLE, row._id, { state: "failed" });
      }
    });
    this.#keepOnly(null);
  }

  /** Begins an export; answers when it is on record. Throws HttpError when one is running. */
  async request(options: { includeStorage: boolean }): Promise<void> {
    if (this.#running !== null) {
      throw new HttpError(400, "ExportInProgress", "an export is running; wait for it to end");
    }
    let done: () => void = () => undefined;
    this.#running = new Promise((resolve) => {
      done = resolve;
    });
    const { value: id } = await this.#options.engine.transact((tx) => {
      for (const row of [...rows(tx)].slice(0, -transferLimits.historyRows)) {
        tx.remove(TABLE, row._id);
      }
      return tx.insert(TABLE, { state: "requested" });
    });
    this.#run(id, options.includeStorage)
      .catch((error: unknown) => {
        this.#options.log("export.fault", { error });
      })
      .finally(() => {
        this.#running = null;
        done();
      });
  }

  /** The newest export as the official CLI reads it; null when there was none. */
  latest(tx: Transaction): Value {
    const row = [...rows(tx)].at(-1);
    if (row === undefined) return null;
    const { state, startTs, completeTs } = row;
    if (state !== "completed" || startTs === undefined || completeTs === undefined) {
      return { state };
    }
    return {
      state,
      start_ts: startTs,
      complete_ts: completeTs,
      zip_object_key: fileName(startTs),
    };
  }

  /** A finished export's file. Throws HttpError 404. */
  open(startTs: bigint): { body: Readable; bytes: number; name: string } {
    const name = fileName(startTs);
    const path = join(this.#folder, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) {
      throw new HttpError(404, "ExportNotFound", "this export is not kept; make a new one");
    }
    return { body: createReadStream(path), bytes: stat.size, name };
  }

  /** Lets a running export end early, as failed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(id: string, includeStorage: boolean): Promise<void> {
    const { engine, log, componentPaths, files } = this.#options;
    const held = engine.hold();
    const path = join(this.#folder, fileName(held.ts));
    try {
      await engine.transact((tx) => tx.patch(TABLE, id, { state: "in_progress" }));
      const zip = new ZipWriter(path);
      try {
        await writeSnapshot(zip, {
          engine,
          ts: held.ts,
          componentPaths: componentPaths(),
          files: includeStorage ? files : null,
          isStopped: () => this.#isStopped,
        });
        zip.end();
      } catch (error) {
        zip.abandon();
        throw error;
      }
      this.#keepOnly(fileName(held.ts));
      await engine.transact((tx) =>
        tx.patch(TABLE, id, {
          state: "completed",
          startTs: held.ts,
          completeTs: engine.latestTs(),
        }),
      );
      log("export.completed", { ts: held.ts.toString() });
    } catch (error) {
      log("export.failed", { error });
      await engine.transact((tx) => tx.patch(TABLE, id, { state: "failed" }));
    } finally {
      held.release();
    }
  }

  #keepOnly(kept: string | null): void {
    const names = readdirSync(this.#folder).toSorted();
    const newest = kept ?? names.at(-1);
    for (const name of names) {
      if (name !== newest) rmSync(join(this.#folder, name), { force: true });
    }
  }
}

const fileName = (ts: bigint): string => `snapshot_${ts.toString()}.zip`;

// Rows of this table are written here only.
const rows = (tx: Transaction): Iterable<ExportRow> => tx.scan(TABLE) as Iterable<ExportRow>;

const isUnfinished = ({ state }: ExportRow): boolean =>
  state === "requested" || state === "in_progress";
