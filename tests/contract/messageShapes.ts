/** The shapes of the sync protocol's messages, read from the types of the installed `convex` package. */
import { readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

const FILE = path.resolve(
  import.meta.dirname,
  "../../node_modules/convex/src/browser/sync/protocol.ts",
);
/** On the wire a 64-bit number is base64 text; what is declared elsewhere may be anything. */
const WIRE: Readonly<Record<string, "text" | "any">> = {
  TS: "text",
  U64: "text",
  JSONValue: "any",
  UserIdentityAttributes: "any",
};

type Field = { name: string; isOptional: boolean; type: ts.TypeNode };
type Shape = { type: string; fields: readonly Field[] };

const source = ts.createSourceFile(FILE, readFileSync(FILE, "utf8"), ts.ScriptTarget.Latest, true);
const aliases = new Map(
  source.statements
    .filter(ts.isTypeAliasDeclaration)
    .map(({ name, type }) => [name.text, type] as const),
);

/** Every object type below the alias that says `type: "…"`, each member of a union for itself. */
export function shapesOf(alias: string): Shape[] {
  const found: Shape[] = [];
  const visit = (node: ts.TypeNode): void => {
    if (ts.isUnionTypeNode(node)) node.types.forEach(visit);
    else if (ts.isTypeReferenceNode(node)) {
      const aliased = aliases.get(node.typeName.getText());
      if (aliased !== undefined) visit(aliased);
    } else if (ts.isTypeLiteralNode(node)) {
      const fields = fieldsOf(node);
      const type = fields.find(({ name }) => name === "type")?.type.getText();
      if (type !== undefined) found.push({ type: type.slice(1, -1), fields });
    }
  };
  const node = aliases.get(alias);
  if (node === undefined) throw new Error(`The package has no type ${alias}.`);
  visit(node);
  return found;
}

function fieldsOf(node: ts.TypeLiteralNode): Field[] {
  return node.members.filter(ts.isPropertySignature).flatMap(({ name, type, questionToken }) => {
    const isOptional = questionToken !== undefined;
    return type === undefined ? [] : [{ name: name.getText(), isOptional, type }];
  });
}

/** Where the value is not of the shape; empty when it is. */
export function differences(value: unknown, shape: Shape): string[] {
  return objectDifferences(value, shape.fields, shape.type);
}

function objectDifferences(value: unknown, fields: readonly Field[], at: string): string[] {
  if (typeof value !== "object" || value === null) return [`${at} is no object`];
  const given = value as Record<string, unknown>;
  const unknown = Object.keys(given).filter((key) => fields.every(({ name }) => name !== key));
  return [
    ...unknown.map((key) => `${at}.${key} is unknown`),
    ...fields.flatMap(({ name, isOptional, type }) => {
      if (given[name] !== undefined) return typeDifferences(given[name], type, `${at}.${name}`);
      return isOptional ? [] : [`${at}.${name} is missing`];
    }),
  ];
}

function typeDifferences(value: unknown, type: ts.TypeNode, at: string): string[] {
  if (ts.isUnionTypeNode(type)) {
    const all = type.types.map((one) => typeDifferences(value, one, at));
    return all.find((one) => one.length === 0) ?? all.flat();
  }
  if (ts.isArrayTypeNode(type)) {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((item, n) => typeDifferences(item, type.elementType, `${at}[${n}]`));
  }
  if (ts.isParenthesizedTypeNode(type)) return typeDifferences(value, type.type, at);
  if (ts.isTypeLiteralNode(type)) return objectDifferences(value, fieldsOf(type), at);
  if (ts.isTypeReferenceNode(type)) return namedDifferences(value, type.typeName.getText(), at);
  return isOf(value, type.getText()) ? [] : [`${at} is not ${type.getText()}`];
}

function namedDifferences(value: unknown, name: string, at: string): string[] {
  const wire = WIRE[name];
  if (wire === "any") return [];
  if (wire === "text") return typeof value === "string" ? [] : [`${at} is not base64 text`];
  const aliased = aliases.get(name);
  return aliased === undefined
    ? [`${at} has the unknown type ${name}`]
    : typeDifferences(value, aliased, at);
}

function isOf(value: unknown, type: string): boolean {
  if (type === "any") return true;
  if (["string", "number", "boolean"].includes(type)) return typeof value === type;
  return type === "undefined" ? value === undefined : JSON.stringify(value) === type;
}

/** A message of the shape, with all fields that may be left out, or with none. */
export function sampleOf({ fields }: Shape, isFull: boolean): Record<string, unknown> {
  const wanted = fields.filter(({ isOptional }) => isFull || !isOptional);
  return Object.fromEntries(
    wanted.map(({ name, type }) => [name, sampleOfField(name, type, isFull)]),
  );
}

/** Values that mean something where the type alone does not say enough. */
const MEANINGFUL: Readonly<Record<string, unknown>> = {
  sessionId: "11111111-1111-4111-8111-111111111111",
  newVersion: 2,
  args: [{}],
  impersonating: { subject: "ada" },
};

function sampleOfField(name: string, type: ts.TypeNode, isFull: boolean): unknown {
  if (Object.hasOwn(MEANINGFUL, name)) return MEANINGFUL[name];
  if (ts.isParenthesizedTypeNode(type)) return sampleOfField(name, type.type, isFull);
  if (ts.isArrayTypeNode(type)) return listOf(type.elementType, isFull);
  if (ts.isUnionTypeNode(type)) {
    const [first] = type.types;
    return first === undefined ? null : sampleOfField(name, first, isFull);
  }
  if (ts.isTypeReferenceNode(type)) {
    const named = type.typeName.getText();
    if (WIRE[named] === "text") return Buffer.alloc(8).toString("base64");
    const aliased = aliases.get(named);
    return aliased === undefined ? {} : sampleOfField(name, aliased, isFull);
  }
  const text = type.getText();
  const byText: Readonly<Record<string, unknown>> = {
    string: "text",
    number: 1,
    boolean: true,
    any: {},
  };
  return Object.hasOwn(byText, text) ? byText[text] : (JSON.parse(text) as unknown);
}

function listOf(element: ts.TypeNode, isFull: boolean): unknown[] {
  const inner = ts.isParenthesizedTypeNode(element) ? element.type : element;
  const members = ts.isUnionTypeNode(inner) ? inner.types : [inner];
  return members.flatMap((member) =>
    ts.isTypeReferenceNode(member)
      ? shapesOf(member.typeName.getText()).map((shape) => sampleOf(shape, isFull))
      : [],
  );
}
