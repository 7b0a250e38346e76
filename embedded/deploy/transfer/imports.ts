/**
 * Imports of uploaded files: planned, confirmed, then written. What became of each is a row of
 * `_imports`, so that a client can wait for it; the file is dropped when the import has ended.
 */
import { z } from "zod";
import type { DocumentCheck } from "../../engine/catalog.js";
import type { Engine } from "../../engine/engine.js";
import { dropStaged } from "../../engine/staging.js";
import type { Document, Fields, Transaction } from "../../engine/transaction.js";
import type { Files } from "../../files/files.js";
import { tableByNumber } from "../../functions/systemViews.js";
import type { TableOfId } from "../../functions/validators.js";
import type { EventLog } from "../../http/eventLog.js";
import { HttpError } from "../../http/request.js";
import { tableNumberOf } from "../../values/ids.js";
import {
  describePlan,
  modeForm,
  planImport,
  type ImportMode,
  type ImportPlan,
  type Survey,
  surveyImport,
} from "./importPlan.js";
import {
  formatForm,
  type ImportEntry,
  type ImportSource,
  inTurns,
  readImport,
} from "./importSource.js";
import { FileWriter, numberOfFiles, STORAGE } from "./importFiles.js";
import { ImportWriter } from "./importWriter.js";
import { transferLimits } from "./limits.js";
import { ImportError } from "./lines.js";
import { Uploads } from "./uploads.js";

const TABLE = "_imports";

export const finishUploadForm = z.object({
  import: z.object({
    tableName: z.string().nullish(),
    componentPath: z.string().nullish(),
    mode: modeForm,
    format: formatForm,
  }),
  uploadToken: z.string(),
  partTokens: z.array(z.string()).max(transferLimits.partsMax),
});

export type ImportOptions = {
  engine: Engine;
  dataDir: string;
  files: Files;
  /** The check of a table by the running schema, with ids judged by `tableOfId`. */
  checkOf: (
    table: { componentPath: string; name: string },
    tableOfId: TableOfId,
  ) => DocumentCheck | null;
  /** Whether the deployment has the component. */
  isMounted: (componentPath: string) => boolean;
  log: EventLog;
};

type Waiting = {
  token: string;
  source: ImportSource;
  survey: Survey;
  mode: ImportMode;
  plan: ImportPlan;
};

export class Imports {
  readonly uploads: Uploads;
  readonly #options: ImportOptions;
  /** Planned, not yet confirmed. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;

  constructor(options: ImportOptions) {
    this.#options = options;
    this.uploads = new Uploads(options.dataDir);
  }

  /** Fails what an earlier process left unfinished and drops what it had written. */
  async start(): Promise<void> {
    const { engine } = this.#options;
    dropStaged(engine.catalog, engine.store);
    await engine.transact((tx) => {
      for (const row of tx.scan(TABLE)) {
        if (isFinished(row)) continue;
        const state = failed("The backend was restarted; import the file again.");
        tx.patch(TABLE, row._id, { state });
      }
    });
  }

  /** Plans the import of an uploaded file; answers its id. */
  async finishUpload(form: z.output<typeof finishUploadForm>): Promise<string> {
    const { engine } = this.#options;
    const { tableName, componentPath, mode, format } = form.import;
    const path = this.uploads.finish(form.uploadToken, form.partTokens);
    const source: ImportSource = {
      path,
      format,
      tableName: tableName ?? null,
      componentPath: componentPath ?? "",
    };
    const { value: id } = await engine.transact((tx) => {
      for (const row of [...tx.scan(TABLE)].slice(0, -transferLimits.historyRows)) {
        tx.remove(TABLE, row._id);
      }
      return tx.insert(TABLE, { state: { state: "uploaded" } });
    });
    await this.#guard(id, form.uploadToken, async () => {
      const survey = await surveyImport(source);
      this.#assertMounted(survey);
      const plan = planImport(engine, survey, mode);
      this.#waiting.set(id, { token: form.uploadToken, source, survey, mode, plan });
      await this.#note(id, {
        state: "waiting_for_confirmation",
        message_to_confirm: describePlan(plan),
        require_manual_confirmation: plan.tables.some((t) => t.isReplaced && t.existing > 0),
      });
    });
    return id;
  }

  /** Begins a planned import. Throws HttpError for one that is not waiting. */
  async perform(id: string): Promise<void> {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) {
      throw new HttpError(400, "ImportNotWaiting", "this import is not waiting to be confirmed");
    }
    this.#waiting.delete(id);
    await this.#note(id, { state: "in_progress", progress_message: "Importing" });
    const run = this.#guard(id, waiting.token, () => this.#write(id, waiting)).finally(() => {
      this.uploads.drop(waiting.token);
      this.#running.delete(run);
    });
    this.#running.add(run);
  }

  /** An import as the official CLI reads it; null when there is none. */
  find(tx: Transaction, id: string): Document | null {
    return [...tx.scan(TABLE)].find((row) => row._id === id) ?? null;
  }

  list(tx: Transaction): Document[] {
    return [...tx.scan(TABLE)];
  }

  /** Lets running imports end early, as failed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #write(id: string, { source, survey, plan, mode }: Waiting): Promise<void> {
    const { engine, files, log } = this.#options;
    // Planned again: others may have written since.
    const now = planImport(engine, survey, mode);
    const isChanged = JSON.stringify(now.tables) !== JSON.stringify(plan.tables);
    if (isChanged && plan.tables.some(({ isReplaced }) => isReplaced)) {
      throw new ImportError("The tables changed while the import waited; import the file again.");
    }
    const writer = new ImportWriter({
      engine,
      plan,
      importId: id,
      checkOf: (table) => this.#checkOf(table, plan),
    });
    let fileWriter: FileWriter | null = null;
    try {
      await this.#each(source, async (entry) => {
        if (entry.kind === "document" && !entry.table.startsWith("_")) await writer.add(entry);
      });
      if (plan.files.size > 0) {
        const opened = new FileWriter({ engine, files, mode, importId: id, rows: plan.files });
        fileWriter = opened;
        await this.#each(source, async (entry) => {
          if (entry.kind === "file") await opened.add(entry);
        });
        if (opened.written < plan.files.size) {
          throw new ImportError("Files named in _storage/documents.jsonl are not in the zip file.");
        }
      }
      await writer.finish(fileWriter?.takeOver ?? []);
    } catch (error) {
      writer.abandon();
      throw error;
    } finally {
      fileWriter?.close();
    }
    // Bytes of the files that were replaced.
    if (fileWriter !== null) await files.sweep();
    await this.#note(id, { state: "completed", num_rows_written: BigInt(writer.written) });
    log("import.completed", { id, documents: writer.written });
  }

  async #each(source: ImportSource, take: (entry: ImportEntry) => Promise<void>): Promise<void> {
    for await (const entry of inTurns(readImport(source))) {
      if (this.#isStopped) throw new ImportError("The backend was stopped.");
      await take(entry);
    }
  }

  #checkOf(table: { componentPath: string; name: string }, plan: ImportPlan): DocumentCheck | null {
    const { componentPath } = table;
    const numbers = new Map(
      plan.tables
        .filter((other) => other.componentPath === componentPath && other.number !== null)
        .map(({ number, name }) => [number, name]),
    );
    const ofFiles = numberOfFiles(plan.files.values());
    if (ofFiles !== null) numbers.set(ofFiles, STORAGE);
    const { catalog } = this.#options.engine;
    return this.#options.checkOf(table, (id) => {
      const number = tableNumberOf(id);
      if (number === null) return null;
      return numbers.get(number) ?? tableByNumber(catalog, componentPath, number)?.name ?? null;
    });
  }

  /** Data of a component that nothing uses could be neither read nor changed. */
  #assertMounted({ tables, files }: Survey): void {
    for (const { componentPath } of [...tables.values(), ...files.values()]) {
      if (componentPath === "" || this.#options.isMounted(componentPath)) continue;
      throw new ImportError(
        `There is no component "${componentPath}" here: deploy an app that uses it, then import the file again.`,
      );
    }
  }

  /** Turns a failure into the import's state. */
  async #guard(id: string, token: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.uploads.drop(token);
      const isTheirs = error instanceof ImportError;
      if (!isTheirs) this.#options.log("import.fault", { error });
      await this.#note(id, failed(isTheirs ? error.message : "The import failed; see the log."));
    }
  }

  async #note(id: string, state: Fields): Promise<void> {
    await this.#options.engine.transact((tx) => tx.patch(TABLE, id, { state }));
  }
}

const failed = (message: string) => ({ state: "failed", error_message: message });

function isFinished(row: Document): boolean {
  // Rows of this table are written here only.
  const { state } = row["state"] as { state: string };
  return state === "completed" || state === "failed";
}

export const performForm = z.object({ importId: z.string() });
