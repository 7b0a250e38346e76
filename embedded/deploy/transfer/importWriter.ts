/** Writes the documents of a planned import, and puts staged tables into their place at the end. */
import { jsonToConvex } from "convex/values";
import type { Table } from "../../engine/catalog.js";
import type { DocumentCheck } from "../../engine/catalog.js";
import { checkDocument } from "../../engine/checkDocument.js";
import { DocumentVersion, type Document, type Fields } from "../../engine/documents.js";
import type { Engine } from "../../engine/engine.js";
import { UserError } from "../../engine/errors.js";
import { dropStaged, stageTable, type TakeOver } from "../../engine/staging.js";
import { newId } from "../../values/ids.js";
import type { ImportPlan, TablePlan } from "./importPlan.js";
import type { ImportEntry } from "./importSource.js";
import { transferLimits } from "./limits.js";
import { ImportError } from "./lines.js";

export type WriterOptions = {
  engine: Engine;
  plan: ImportPlan;
  /** Names the staged tables. */
  importId: string;
  /** The schema's checks, with ids judged by the tables as they will be. */
  checkOf: (plan: TablePlan) => DocumentCheck | null;
};
type Destination = {
  plan: TablePlan;
  /** Where documents go now, and the table they end in. */
  staged: Table;
  target: Table;
  check: DocumentCheck | null;
};
type Pending = { to: Destination; document: Fields; line: number };

export class ImportWriter {
  readonly #options: WriterOptions;
  readonly #destinations = new Map<string, Destination>();
  #pending: Pending[] = [];
  #pendingChars = 0;
  #written = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    const { catalog } = options.engine;
    for (const plan of options.plan.tables) {
      const { componentPath, name, number } = plan;
      const target = catalog.table({ componentId: componentPath, name });
      const staged = plan.isReplaced
        ? stageTable(catalog, { target, number: number ?? target.number, owner: options.importId })
        : target;
      const check = options.checkOf(plan);
      this.#destinations.set(`${componentPath}/${name}`, { plan, staged, target, check });
    }
  }

  get written(): number {
    return this.#written;
  }

  /** Throws ImportError when the document may not be stored. */
  async add(entry: ImportEntry & { kind: "document" }): Promise<void> {
    const to = this.#destinations.get(`${entry.componentPath}/${entry.table}`);
    if (to === undefined) throw new Error(`Table "${entry.table}" is not in the plan.`);
    this.#pending.push({ to, document: toFields(entry), line: entry.line });
    this.#pendingChars += JSON.stringify(entry.fields).length;
    const { batchDocuments, batchChars } = transferLimits;
    if (this.#pending.length >= batchDocuments || this.#pendingChars >= batchChars) {
      await this.#flush();
    }
  }

  /** Everything becomes visible, in one commit, and with it what `also` names. */
  async finish(also: readonly TakeOver[]): Promise<void> {
    await this.#flush();
    const { engine } = this.#options;
    const replaced = [...this.#destinations.values()].filter(({ plan }) => plan.isReplaced);
    const takeOver = [...replaced, ...also];
    if (takeOver.length > 0) await engine.transact(() => undefined, { takeOver });
  }

  abandon(): void {
    dropStaged(this.#options.engine.catalog, this.#options.engine.store, this.#options.importId);
  }

  async #flush(): Promise<void> {
    const batch = this.#pending;
    this.#pending = [];
    this.#pendingChars = 0;
    if (batch.length === 0) return;
    await this.#options.engine.transact((tx) => {
      for (const { to, document, line } of batch) {
        const complete: Document = {
          ...document,
          _id:
            textOf(document["_id"]) ??
            newId(to.plan.isReplaced ? to.staged.number : to.target.number),
          _creationTime: numberOf(document["_creationTime"]) ?? tx.newCreationTime(),
        };
        guarded({ to, line }, () => {
          const version = DocumentVersion.of(complete);
          checkDocument({ ...to.target, check: to.check }, version);
          tx.restoreInto(to.staged, complete);
        });
      }
    });
    this.#written += batch.length;
  }
}

function toFields({ fields, line, table }: ImportEntry & { kind: "document" }): Fields {
  try {
    // A JSON object stands for an object, or for one of the special values.
    const value = jsonToConvex(fields);
    if (typeof value === "object" && value !== null && !(value instanceof ArrayBuffer)) {
      return value as Fields;
    }
  } catch (error) {
    throw new ImportError(
      `Line ${line} of table "${table}": ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  throw new ImportError(`Line ${line} of table "${table}" is a value, not a document.`);
}

function guarded(at: { to: Destination; line: number }, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new ImportError(`Line ${at.line} of table "${at.to.plan.name}": ${error.message}`);
  }
}

const textOf = (value: Fields[string] | undefined): string | null =>
  typeof value === "string" ? value : null;
const numberOf = (value: Fields[string] | undefined): number | null =>
  typeof value === "number" ? value : null;
