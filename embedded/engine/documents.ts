import {
  convexToJson,
  getDocumentSize,
  type JSONValue,
  jsonToConvex,
  type Value,
} from "convex/values";

/** A document as the engine hands it out. Never changed in place. */
export type Document = { readonly _id: string; readonly _creationTime: number } & Readonly<
  Record<string, Value>
>;
/** Field values of a document to be written, without system fields. */
export type Fields = Record<string, Value>;

/**
 * One version of a document, in whichever form it arrived; the other forms are made when first
 * asked for. Most reads pass through as text without ever being parsed here.
 */
export class DocumentVersion {
  #json: string | null;
  #value: Document | null;
  #size: number | null = null;

  private constructor(json: string | null, value: Document | null) {
    this.#json = json;
    this.#value = value;
  }

  /** `json` is what `json` of another version gave. */
  static ofJson(json: string): DocumentVersion {
    return new DocumentVersion(json, null);
  }

  static of(value: Document): DocumentVersion {
    return new DocumentVersion(null, value);
  }

  get json(): string {
    this.#json ??= JSON.stringify(convexToJson(this.value));
    return this.#json;
  }

  get value(): Document {
    // Only documents are ever written as documents, so the text is one.
    this.#value ??= jsonToConvex(JSON.parse(this.#json ?? "null") as JSONValue) as Document;
    return this.#value;
  }

  /** Bytes as Convex counts them. */
  get size(): number {
    this.#size ??= getDocumentSize(this.value);
    return this.#size;
  }
}
