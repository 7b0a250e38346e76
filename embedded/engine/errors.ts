/**
 * A deterministic error that a function caused and may catch: bad arguments, limits, schema.
 * `shortName` is the machine-readable cause.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly shortName: string;
  constructor(shortName: string, message: string) {
    super(message);
    this.shortName = shortName;
  }
}

/** Why a transaction could not commit: something it read has changed since. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
  readonly table: string;
  constructor(table: string) {
    super(
      `Documents read from or written to the "${table}" table changed while this mutation was being run.`,
    );
    this.table = table;
  }
}
