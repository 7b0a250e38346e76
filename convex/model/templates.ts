import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Template from "../domain/template.js";
import { accept, fail } from "../lib/errors.js";
import { PAGE_SIZE_MAX, TEMPLATE_VERSIONS_MAX } from "../protocol/limits.js";

/** Which template, which version (the newest if not said), and the values of its parameters. */
export type Use = { name: string; version?: number; parameters?: Record<string, string> };

/** Adds a version of a template; earlier ones stay as they are. */
export async function save(
  ctx: MutationCtx,
  { name, text, createdBy }: { name: string; text: string; createdBy: string },
): Promise<number> {
  const checked = accept(Template.checkName(name));
  const parameters = accept(Template.parametersOf(text));
  const version = ((await latest(ctx, checked))?.version ?? 0) + 1;
  if (version > TEMPLATE_VERSIONS_MAX) {
    const most = `${checked} has ${TEMPLATE_VERSIONS_MAX} versions, which is the most`;
    throw fail("INVALID_ARGUMENT", `${most}: save it under another name.`);
  }
  await ctx.db.insert("templates", { name: checked, version, text, parameters, createdBy });
  return version;
}

/** The text of a prompt made from a template. Throws NOT_FOUND and INVALID_ARGUMENT. */
export async function render(ctx: QueryCtx, use: Use): Promise<string> {
  const row = await get(ctx, use.name, use.version);
  return accept(Template.render(row.text, use.parameters ?? {}));
}

export async function get(
  ctx: QueryCtx,
  name: string,
  version: number | undefined,
): Promise<Doc<"templates">> {
  const row =
    version === undefined
      ? await latest(ctx, name)
      : await ctx.db
          .query("templates")
          .withIndex("by_name", (q) => q.eq("name", name).eq("version", version))
          .unique();
  if (row !== null) return row;
  throw fail(
    "NOT_FOUND",
    `There is no template of that name${version === undefined ? "" : " and version"}.`,
  );
}

/** The newest version of each template, by name; at most PAGE_SIZE_MAX. */
export async function list(ctx: QueryCtx): Promise<Doc<"templates">[]> {
  const rows: Doc<"templates">[] = [];
  let after = "";
  while (rows.length < PAGE_SIZE_MAX) {
    const next = await ctx.db
      .query("templates")
      .withIndex("by_name", (q) => q.gt("name", after))
      .first();
    const newest = next === null ? null : await latest(ctx, next.name);
    if (newest === null) break;
    rows.push(newest);
    after = newest.name;
  }
  return rows;
}

export function view({ name, version, text, parameters, createdBy }: Doc<"templates">) {
  return { name, version, text, parameters, createdBy };
}

async function latest(ctx: QueryCtx, name: string): Promise<Doc<"templates"> | null> {
  return ctx.db
    .query("templates")
    .withIndex("by_name", (q) => q.eq("name", name))
    .order("desc")
    .first();
}
