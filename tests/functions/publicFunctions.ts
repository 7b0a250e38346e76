/** Every public function of convex/, and arguments for them made from their own validators. */
import { makeFunctionReference } from "convex/server";
import fc from "fast-check";
import type { Access } from "../../convex/lib/functions.js";
import { ARGUMENT_CHARS_MAX, LONG_ARGUMENTS } from "../../convex/protocol/limits.js";
import table from "../../docs/permissions.md?raw";
import { modules, type World } from "./world.js";

/** A validator as a registered function tells of it. */
export type Shape =
  | { type: "null" | "number" | "bigint" | "boolean" | "bytes" | "string" | "any" }
  | { type: "literal"; value: string | number | boolean }
  | { type: "id"; tableName: string }
  | { type: "array"; value: Shape }
  | { type: "record"; keys: Shape; values: { fieldType: Shape } }
  | { type: "union"; value: Shape[] }
  | { type: "object"; value: Record<string, { fieldType: Shape; optional: boolean }> };

export type Kind = "query" | "mutation" | "action";
export type PublicFunction = { name: string; kind: Kind; access: unknown; args: Shape };

type Registered = {
  isPublic?: boolean;
  isQuery?: boolean;
  isMutation?: boolean;
  access?: unknown;
  exportArgs: () => string;
};

/** Who may call each public function: the rows of docs/permissions.md. */
export function permissions(): Record<string, Access> {
  const rows = table.split("<!-- permissions -->")[1] ?? "";
  const cells = rows.matchAll(/^\| `([A-Za-z:]+)`\s*\| `([a-z]+)`\s*\|$/gm);
  // A word that is no access makes the comparison with the marks fail.
  const pairs = [...cells].map(([, name, access]) => [name ?? "", access as Access] as const);
  return Object.fromEntries(pairs);
}

/** What the modules of convex/ make public. */
export async function publicFunctions(): Promise<PublicFunction[]> {
  const found: PublicFunction[] = [];
  for (const [path, load] of Object.entries(modules)) {
    const file = /\/convex\/([A-Za-z]+)\.ts$/.exec(path)?.[1];
    if (file === undefined || file === "schema") continue;
    for (const [name, value] of Object.entries((await load()) as Record<string, unknown>)) {
      if (typeof value !== "function" || !("isPublic" in value)) continue;
      // What carries isPublic was registered by Convex's own builders.
      const { isQuery, isMutation, access, exportArgs } = value as unknown as Registered;
      const kind = isQuery === true ? "query" : isMutation === true ? "mutation" : "action";
      found.push({
        name: `${file}:${name}`,
        kind,
        access,
        args: JSON.parse(exportArgs()) as Shape,
      });
    }
  }
  return found;
}

/** Whoever calls: the deployment's door with an identity or none. */
export type Caller = Pick<World["t"], "query" | "mutation" | "action" | "run">;

/** Calls a function by its name with arguments that its validator made. */
export async function call(as: Caller, { kind, name }: PublicFunction, args: unknown) {
  // Arguments come from the function's own validator, which no type here knows.
  const given = args as Record<string, never>;
  switch (kind) {
    case "query":
      return as.query(makeFunctionReference<"query">(name), given) as Promise<unknown>;
    case "mutation":
      return as.mutation(makeFunctionReference<"mutation">(name), given) as Promise<unknown>;
    case "action":
      return as.action(makeFunctionReference<"action">(name), given) as Promise<unknown>;
  }
}

/** Ids to use in arguments, by table. */
export type Ids = Record<string, string[]>;

/** What the platform itself checks in pages, before any code of ours. */
const OF_PLATFORM: Record<string, fc.Arbitrary<unknown>> = {
  numItems: fc.integer({ min: 1, max: 1e9 }),
  cursor: fc.constant(null),
  endCursor: fc.constant(null),
};

/** Arguments that a validator takes; rows are named by `ids`. */
export function valuesOf(shape: Shape, ids: Ids = {}): fc.Arbitrary<unknown> {
  switch (shape.type) {
    case "null":
      return fc.constant(null);
    case "number":
      return fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 1, 2));
    case "bigint":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "boolean":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array().map((bytes) => new Uint8Array(bytes).buffer);
    case "string":
      return fc.oneof(fc.string({ unit: "binary" }), fc.string(), fc.constantFrom("", "\0", "a"));
    case "any":
      return fc.jsonValue().filter(isConvexValue);
    case "literal":
      return fc.constant(shape.value);
    case "id":
      return fc.constantFrom(...idsOf(shape.tableName, ids));
    case "array":
      return fc.array(valuesOf(shape.value, ids), { maxLength: 3 });
    case "record":
      return fc.dictionary(
        fc.stringMatching(/^[a-z]{1,8}$/),
        valuesOf(shape.values.fieldType, ids),
        { maxKeys: 3 },
      );
    case "union":
      return fc.oneof(...shape.value.map((one) => valuesOf(one, ids)));
    case "object": {
      const fields = Object.entries(shape.value);
      const requiredKeys = fields.filter(([, field]) => !field.optional).map(([key]) => key);
      const model = fields.map(([key, field]) => [
        key,
        OF_PLATFORM[key] ?? valuesOf(field.fieldType, ids),
      ]);
      return fc.record(Object.fromEntries(model) as Record<string, fc.Arbitrary<unknown>>, {
        requiredKeys,
      });
    }
  }
}

function idsOf(table: string, ids: Ids): string[] {
  const known = ids[table];
  if (known === undefined) throw new Error(`arguments name rows of ${table}: make ids of it`);
  return known;
}

/** Keys that Convex takes in objects: printable ASCII without $ and _ first. */
function isConvexValue(value: unknown): boolean {
  return !/"[^"]*[^\x20-\x7e][^"]*":|"[$_][^"]*":|"":/.test(JSON.stringify(value));
}

/** For each text in the arguments, arguments in which that one is a character too long. */
export function tooLong(shape: Shape, ids: Ids, field = ""): { field: string; value: unknown }[] {
  if (shape.type === "string") {
    return [{ field, value: "x".repeat((LONG_ARGUMENTS[field] ?? ARGUMENT_CHARS_MAX) + 1) }];
  }
  if (shape.type === "array") {
    return tooLong(shape.value, ids, field).map((one) => ({ ...one, value: [one.value] }));
  }
  if (shape.type === "record") {
    const items = tooLong(shape.values.fieldType, ids, "key");
    return items.map((one) => ({ ...one, value: { key: one.value } }));
  }
  if (shape.type === "union") return shape.value.flatMap((one) => tooLong(one, ids, field));
  if (shape.type !== "object") return [];
  return Object.entries(shape.value).flatMap(([key, { fieldType }]) =>
    tooLong(fieldType, ids, key).map(({ field: name, value }) => {
      const [rest] = fc.sample(valuesOf(shape, ids), { numRuns: 1, seed: 1 });
      // An object shape makes objects.
      return { field: name, value: { ...(rest as object), [key]: value } };
    }),
  );
}
