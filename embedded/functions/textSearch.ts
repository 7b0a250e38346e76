/**
 * Text search: documents that hold at least one of the words asked for, the most relevant first
 * (BM25); the last word also matches as a prefix. There is no stored index: the table is read when
 * it is asked, so the cost grows with the table, and any change to it is a change of the answer. That
 * is why a table that is searched has a bound.
 */
import type { Value } from "convex/values";
import { compareValues } from "convex/values";
import type { SearchIndex, Table } from "../engine/catalog.js";
import { UserError } from "../engine/errors.js";
import type { ScannedDocument, Transaction } from "../engine/transaction.js";
import { fieldAt } from "../index/fields.js";
import { encodeKey } from "../index/keys.js";

const textSearchLimits = {
  /** Documents that one search finds. */
  resultsMax: 1_024,
  /** Words of a query; the others are ignored. */
  termsMax: 16,
  filtersMax: 8,
  /** Longer words are no words. */
  termCharsMax: 32,
  /** Of a table that is searched, by text or by vectors: all of it is read for each search. */
  tableDocumentsMax: 32_768,
  tableCharsMax: 64 * 1024 * 1024,
} as const;

/** Of BM25: how soon repeating a word stops to count, and how much long texts are held back. */
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;
/** A word that only begins as asked counts for less than the word itself. */
const PREFIX_WEIGHT = 0.5;

export type TextFilter =
  | { type: "Search"; fieldPath: string; value: string }
  | { type: "Eq"; fieldPath: string; value: Value | undefined };

/** Lower-case words of letters and digits. */
export function tokenize(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  return words.filter((word) => word.length <= textSearchLimits.termCharsMax);
}

/** In order of relevance; `key` is the rank, so that pages can be cut. Throws UserError. */
export function searchText(
  tx: Transaction,
  search: { table: Table; name: string; filters: readonly TextFilter[] },
): ScannedDocument[] {
  const { table, name, filters } = search;
  const index = requireTextIndex(table, name);
  const { text, equals } = sortFilters(index, { shown: `${table.name}.${name}`, filters });
  const terms = tokenize(text).slice(0, textSearchLimits.termsMax);
  const texts: { found: ScannedDocument; words: string[] }[] = [];
  for (const found of everyDocument(tx, table)) {
    const field = fieldAt(found.version.value, index.searchField);
    if (typeof field === "string") texts.push({ found, words: tokenize(field) });
  }
  const scorer = new Scorer(
    texts.map(({ words }) => words),
    terms,
  );
  return texts
    .map(({ found, words }) => ({ found, score: scorer.score(words) }))
    .filter(({ found, score }) => score > 0 && equals.every((isEqual) => isEqual(found)))
    .sort((a, b) => b.score - a.score || byNewest(a.found, b.found))
    .slice(0, textSearchLimits.resultsMax)
    .map(({ found }, rank) => ({ key: encodeKey(rank), version: found.version }));
}

/**
 * The whole table: read, but not counted against what the function may read. Throws UserError when
 * there is too much of it.
 */
export function everyDocument(tx: Transaction, table: Table): ScannedDocument[] {
  const { tableDocumentsMax, tableCharsMax } = textSearchLimits;
  return tx.usage.paused(() => {
    const all: ScannedDocument[] = [];
    let chars = 0;
    const rows = tx.scanIndex(tx.index(table, "by_creation_time"), { lo: "", hi: null }, "asc");
    for (let row = rows.next(); row !== null; row = rows.next()) {
      chars += row.version.json.length;
      if (all.length === tableDocumentsMax || chars > tableCharsMax) {
        throw new UserError(
          "SearchTableTooLarge",
          `Table "${table.name}" is too large to be searched here (limit: ${tableDocumentsMax} documents, ${tableCharsMax} characters): this backend reads the whole table for a search. Keep what is searched in a table of its own, or deploy to Convex Cloud or the self-hosted Convex backend.`,
        );
      }
      all.push(row);
    }
    return all;
  });
}

function requireTextIndex(table: Table, name: string): SearchIndex & { kind: "text" } {
  const index = table.searches.find((search) => search.name === name);
  if (index?.kind !== "text") {
    throw new UserError("IndexNotFound", `Search index ${table.name}.${name} not found.`);
  }
  assertNotStaged(table, index);
  return index;
}

/** Throws UserError. */
export function assertNotStaged(table: Table, { name, isStaged }: SearchIndex): void {
  if (!isStaged) return;
  throw new UserError(
    "IndexStaged",
    `Index ${table.name}.${name} is staged: deploy it without \`staged: true\` before it is used.`,
  );
}

function sortFilters(
  index: SearchIndex & { kind: "text" },
  asked: { shown: string; filters: readonly TextFilter[] },
) {
  const texts: string[] = [];
  const equals: ((found: ScannedDocument) => boolean)[] = [];
  for (const filter of asked.filters) {
    if (filter.type === "Search") {
      assertField([index.searchField], asked.shown, filter.fieldPath);
      texts.push(filter.value);
    } else {
      assertField(index.filterFields, asked.shown, filter.fieldPath);
      const { fieldPath, value } = filter;
      equals.push(({ version }) => compareValues(fieldAt(version.value, fieldPath), value) === 0);
    }
  }
  const [text] = texts;
  if (text === undefined || texts.length > 1) {
    throw new UserError(
      "InvalidSearchFilter",
      `A search over index ${asked.shown} has exactly one search filter, not ${texts.length}.`,
    );
  }
  if (equals.length > textSearchLimits.filtersMax) {
    throw new UserError(
      "TooManySearchFilters",
      `A search has at most ${textSearchLimits.filtersMax} filters, not ${equals.length}.`,
    );
  }
  return { text, equals };
}

function assertField(fields: readonly string[], shown: string, field: string): void {
  if (fields.includes(field)) return;
  throw new UserError(
    "FieldNotInIndex",
    `Search index ${shown} cannot compare "${field}"; it can compare ${fields.join(", ") || "nothing"}.`,
  );
}

const byNewest = (a: ScannedDocument, b: ScannedDocument): number =>
  b.version.value._creationTime - a.version.value._creationTime;

/** BM25 over the texts of one search. */
class Scorer {
  readonly #terms: readonly { term: string; isPrefix: boolean; weight: number }[];
  readonly #meanLength: number;

  constructor(texts: readonly (readonly string[])[], terms: readonly string[]) {
    const total = texts.reduce((sum, words) => sum + words.length, 0);
    this.#meanLength = Math.max(1, total / Math.max(1, texts.length));
    this.#terms = terms.map((term, at) => {
      const isPrefix = at === terms.length - 1;
      const holding = texts.filter((words) => words.some((word) => matches(word, term, isPrefix)));
      const rarity = (texts.length - holding.length + 0.5) / (holding.length + 0.5);
      return { term, isPrefix, weight: Math.log(1 + rarity) };
    });
  }

  /** 0 when no word matches. */
  score(words: readonly string[]): number {
    const length = 1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * words.length) / this.#meanLength;
    let score = 0;
    for (const { term, isPrefix, weight } of this.#terms) {
      let count = 0;
      for (const word of words) {
        if (word === term) count += 1;
        else if (matches(word, term, isPrefix)) count += PREFIX_WEIGHT;
      }
      score += (weight * count * (SATURATION + 1)) / (count + SATURATION * length);
    }
    return score;
  }
}

const matches = (word: string, term: string, isPrefix: boolean): boolean =>
  isPrefix ? word.startsWith(term) : word === term;
