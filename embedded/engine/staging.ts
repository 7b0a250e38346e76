/**
 * Staged tables: documents written over many transactions that become visible at once, when the
 * staged table takes the place of the real one. They live under components of their own, which no
 * function can name; what a crash leaves of them is dropped at the next start.
 */
import type { MetaWrite, SpaceId, Store } from "../store/store.js";
import type { Catalog, Table } from "./catalog.js";

export type TakeOver = { target: Table; staged: Table };

const STAGED_PREFIX = "staged/";
const isStaged = (componentId: string): boolean => componentId.startsWith(STAGED_PREFIX);

/** A table for documents whose ids carry `number`, with the indexes of `target`. */
export function stageTable(
  catalog: Catalog,
  wanted: { target: Table; number: number; owner: string },
): Table {
  const { target, number, owner } = wanted;
  const componentId = `${STAGED_PREFIX}${owner}/${target.componentId}`;
  const staged = catalog.createStaged({ componentId, name: target.name }, number);
  for (const { name, fields, isStaged } of target.indexes.values()) {
    if (!staged.indexes.has(name)) {
      catalog.addIndex(staged, { name, fields: fields.slice(0, -2), isStaged });
    }
  }
  return staged;
}

/** Changes the catalog; the plan must be committed to the store in the same breath. */
export function planTakeOver(catalog: Catalog, takeOvers: readonly TakeOver[]) {
  const plan = { writes: [], meta: [] as MetaWrite[], drop: [] as SpaceId[] };
  for (const { target, staged } of takeOvers) {
    plan.meta.push(catalog.forget(staged));
    const { dropped, renumbered } = catalog.takeOver(target, staged);
    plan.drop.push(...dropped);
    if (renumbered?.isMaterialized === true) plan.meta.push(catalog.metaOf(renumbered));
  }
  for (const { target } of takeOvers) plan.meta.push(catalog.metaOf(target));
  return plan;
}

/** Forgets staged tables; `owner` limits it to those of one import. */
export function dropStaged(catalog: Catalog, store: Store, owner?: string): void {
  const prefix = owner === undefined ? STAGED_PREFIX : `${STAGED_PREFIX}${owner}/`;
  const meta: MetaWrite[] = [];
  const drop: SpaceId[] = [];
  for (const componentId of catalog.componentIds().filter(isStaged)) {
    if (!componentId.startsWith(prefix)) continue;
    for (const table of catalog.tablesOf(componentId)) {
      meta.push(catalog.forget(table));
      drop.push(table.byId.space, ...[...table.indexes.values()].map(({ space }) => space));
    }
  }
  if (meta.length > 0) store.commit({ writes: [], meta, drop });
}

/** A table nobody knows yet, or one without documents: it may be given another number. */
export const isEmpty = (store: Store, table: Table): boolean =>
  store.scan({ space: table.byId.space, lo: "", hi: null, order: "asc", limit: 1 }).length === 0;
