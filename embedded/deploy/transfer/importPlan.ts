/** What an import would change: read once through before anything is written, and shown to who asks. */
import { z } from "zod";
import type { Table } from "../../engine/catalog.js";
import type { Engine } from "../../engine/engine.js";
import { isEmpty } from "../../engine/staging.js";
import { tableNumberOf } from "../../values/ids.js";
import { type FileRow, readFileRow, STORAGE } from "./importFiles.js";
import { type ImportSource, inTurns, readImport } from "./importSource.js";
import { ImportError } from "./lines.js";

export const modeForm = z.enum(["requireEmpty", "append", "replace", "replaceAll"]);
export type ImportMode = z.output<typeof modeForm>;

export type TablePlan = {
  componentPath: string;
  name: string;
  /** The number that the ids of the imported documents carry; null when they bring no ids. */
  number: number | null;
  added: number;
  existing: number;
  /** Written beside the table and put in its place; else the documents are added to it. */
  isReplaced: boolean;
};
export type ImportPlan = {
  tables: TablePlan[];
  /** Rows of stored files by id. */
  files: ReadonlyMap<string, FileRow>;
};

const NAME = /^[a-zA-Z][a-zA-Z0-9_]{0,63}$/;

/** What is in the file; does not change while the import waits. */
export type Survey = { tables: ReadonlyMap<string, Found>; files: ReadonlyMap<string, FileRow> };

/** Throws ImportError when the import cannot be. */
export function planImport(engine: Engine, survey: Survey, mode: ImportMode): ImportPlan {
  const found = new Map(survey.tables);
  if (mode === "replaceAll") addTablesToEmpty(engine, found);
  const tables = [...found.values()].map(({ componentPath, name, number, added }): TablePlan => {
    const table = engine.catalog.find({ componentId: componentPath, name });
    const existing = table === null ? 0 : engine.store.count(table.byId.space, "", null);
    if (mode === "requireEmpty" && existing > 0) {
      throw new ImportError(
        `Table "${name}" already has documents. Use --append to add to it, --replace to replace the tables in the file, or --replace-all to replace everything.`,
      );
    }
    const isReplaced = mode !== "append" || (existing === 0 && number !== null);
    return { componentPath, name, number, added, existing, isReplaced };
  });
  for (const table of tables) checkNumber(engine, table, tables);
  return { tables, files: survey.files };
}

type Found = { componentPath: string; name: string; number: number | null; added: number };

/** Reads the file once through. Throws ImportError. */
export async function surveyImport(source: ImportSource): Promise<Survey> {
  const found = new Map<string, Found>();
  const declared = new Map<string, number>();
  const files = new Map<string, FileRow>();
  for await (const entry of inTurns(readImport(source))) {
    if (entry.kind === "file") continue;
    const { componentPath, table: name } = entry;
    if (name === STORAGE) {
      if (entry.kind === "document") {
        const row = readFileRow(entry);
        files.set(row._id, row);
      }
      continue;
    }
    const key = `${componentPath}/${name}`;
    if (entry.kind === "table") declared.set(key, entry.number);
    if (name.startsWith("_")) continue;
    if (!NAME.test(name)) {
      throw new ImportError(`"${name}" cannot be a table's name: letters, digits and _ only.`);
    }
    const row = found.get(key) ?? { componentPath, name, number: null, added: 0 };
    found.set(key, row);
    if (entry.kind === "table") continue;
    row.added += 1;
    if (entry.fields["_id"] !== undefined) {
      row.number = sameNumber(row, { id: entry.fields["_id"], line: entry.line });
    }
  }
  for (const [key, row] of found) row.number ??= declared.get(key) ?? null;
  return { tables: found, files };
}

/** All ids of a table carry one number. */
function sameNumber(table: Found, at: { id: unknown; line: number }): number {
  const number = typeof at.id === "string" ? tableNumberOf(at.id) : null;
  if (number === null) {
    throw new ImportError(
      `Line ${at.line} of table "${table.name}": ${JSON.stringify(at.id)} is not a document ID.`,
    );
  }
  if (table.number !== null && table.number !== number) {
    throw new ImportError(
      `Line ${at.line} of table "${table.name}": its _id belongs to another table than those before it.`,
    );
  }
  return number;
}

function addTablesToEmpty(engine: Engine, found: Map<string, Found>): void {
  for (const componentPath of new Set(["", ...[...found.values()].map((t) => t.componentPath)])) {
    for (const name of engine.listTables(componentPath)) {
      const key = `${componentPath}/${name}`;
      if (!found.has(key)) found.set(key, { componentPath, name, number: null, added: 0 });
    }
  }
}

/** Ids can be kept when nobody else's ids carry the same number. */
function checkNumber(engine: Engine, plan: TablePlan, plans: readonly TablePlan[]): void {
  if (plan.number === null) return;
  const holder = engine.catalog.byNumber(plan.componentPath, plan.number);
  const own = engine.catalog.find({ componentId: plan.componentPath, name: plan.name });
  if (!plan.isReplaced && own !== null && own.number !== plan.number) {
    throw new ImportError(
      `The ids in the file belong to another table than "${plan.name}": leave out _id to add documents with new ids, or use --replace.`,
    );
  }
  if (holder === null || holder === own || isFree(engine, holder, plans)) return;
  throw new ImportError(
    `The ids of table "${plan.name}" in the file carry number ${plan.number}, which table "${holder.name}" has here; import into an empty deployment, or use --replace-all.`,
  );
}

function isFree(engine: Engine, holder: Table, plans: readonly TablePlan[]): boolean {
  const isReplaced = plans.some(
    (plan) =>
      plan.isReplaced && plan.componentPath === holder.componentId && plan.name === holder.name,
  );
  return isReplaced || isEmpty(engine.store, holder);
}

/** One line for each table, for a person to confirm. */
export function describePlan({ tables, files }: ImportPlan): string {
  const lines = tables.map(({ componentPath, name, added, existing, isReplaced }) => {
    const where = componentPath === "" ? name : `${componentPath}:${name}`;
    const removed = isReplaced ? existing : 0;
    return `  ${where}: ${added} to add, ${removed} of ${existing} to remove`;
  });
  if (files.size > 0) lines.push(`  stored files: ${files.size} to add`);
  return ["Import change summary:", ...lines].join("\n");
}
