/** Errors as tests see them: those of their own functions as they were thrown. */
import { ConvexError, jsonToConvex } from "convex/values";
import { UserError } from "../engine/errors.js";
import { FunctionFailure } from "../functions/failure.js";

/** What user code threw, with the failure that the rest of the runtime sees. */
export class ThrownInRealm extends FunctionFailure {
  readonly thrown: unknown;
  constructor(failure: FunctionFailure, thrown: unknown) {
    super(failure.message, {
      ...(failure.data === undefined ? {} : { data: failure.data }),
      ...(failure.code === null ? {} : { code: failure.code }),
    });
    this.thrown = thrown;
  }
}

/** Causes that tests written for convex-test know by its words for them. */
const VALIDATIONS = new Set(["ArgumentValidation", "ReturnsValidation"]);
const SCHEMA = "does not match the schema: ";

/** What the test that made the call catches. */
export function asThrown(error: unknown): unknown {
  if (error instanceof ThrownInRealm) return error.thrown;
  if (!(error instanceof FunctionFailure)) return error;
  if (error.data === undefined) return new Error(inWordsOfTests(error));
  const converted = new ConvexError(jsonToConvex(error.data));
  converted.message = error.message;
  return converted;
}

/** What the function that made the call catches: the words in which it failed, without our framing. */
export function asCallerSees(error: unknown): unknown {
  if (!(error instanceof FunctionFailure)) {
    const isSchema = error instanceof UserError && error.shortName === "SchemaEnforcementError";
    return isSchema
      ? new Error(error.message.replace(SCHEMA, `${SCHEMA}Validator error: `))
      : error;
  }
  const { data } = error;
  const message = error instanceof ThrownInRealm ? messageOf(error.thrown) : inWordsOfTests(error);
  return new FunctionFailure(message, data === undefined ? {} : { data });
}

const inWordsOfTests = ({ code, message }: FunctionFailure): string =>
  code !== null && VALIDATIONS.has(code) ? `Validator error: ${message}` : message;

const messageOf = (thrown: unknown): string =>
  typeof thrown === "object" && thrown !== null && "message" in thrown
    ? String(thrown.message)
    : String(thrown);
