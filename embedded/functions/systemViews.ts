/**
 * What functions see of the backend's own tables. Those are shared by all components; each row says
 * in `componentPath` whose it is, and a component sees its own rows and their public fields only.
 */
import { isSystemName, type Catalog, type Table, type TableName } from "../engine/catalog.js";
import type { Document } from "../engine/documents.js";
import type { RangeBound } from "../index/range.js";

const VISIBLE: Readonly<Record<string, readonly string[]>> = {
  _scheduled_functions: ["name", "args", "scheduledTime", "completedTime", "state"],
  _storage: ["sha256", "size", "contentType"],
};

export const isVisibleSystemTable = (name: string): boolean => Object.hasOwn(VISIBLE, name);

/** System tables are the root's, whoever asks. */
export const tableName = (componentId: string, name: string): TableName => ({
  componentId: isSystemName(name) ? "" : componentId,
  name,
});

/** The table that ids with this number belong to, for functions of a component. */
export function tableByNumber(catalog: Catalog, componentId: string, number: number): Table | null {
  const own = catalog.byNumber(componentId, number);
  if (own !== null || componentId === "") return own;
  const shared = catalog.byNumber("", number);
  return shared !== null && isSystemName(shared.name) ? shared : null;
}

export const ownRange = (componentId: string): RangeBound => ({
  type: "Eq",
  fieldPath: "componentPath",
  value: componentId,
});

export const isOwnRow = (row: Document, componentId: string): boolean =>
  row["componentPath"] === componentId;

export function systemView(table: string, row: Document): Document {
  const names = ["_id", "_creationTime", ...(VISIBLE[table] ?? [])];
  const shown = Object.entries(row).filter(([name]) => names.includes(name));
  // The system fields are among the visible ones.
  return Object.fromEntries(shown) as Document;
}
