import type { JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";
import type { Execution } from "./execution.js";
import { readPage } from "./pagination.js";
import { planQuery, type QueryJson, QueryRun } from "./query.js";
import { type AsyncSyscalls, requireTx } from "./syscallAccess.js";

type Args = Record<string, JSONValue>;

export function openStream(execution: Execution, args: Args): JSONValue {
  const tx = requireTx(execution, "1.0/queryStream");
  const query = queryArg(args);
  const plan = planQuery(tx, execution.componentId, query);
  const queryId = execution.nextStream++;
  execution.streams.set(queryId, new QueryRun(tx, plan, query.operators));
  return { queryId };
}

export const querySyscalls: AsyncSyscalls = {
  "1.0/queryStreamNext": (execution, args) => {
    const stream = execution.streams.get(Number(args["queryId"]));
    if (stream === undefined) {
      throw new UserError("QueryNotFound", "This query is closed and can't emit any more values.");
    }
    const version = stream.next();
    return version === null
      ? '{"value":null,"done":true}'
      : `{"value":${version.json},"done":false}`;
  },
  "1.0/queryPage": (execution, args) => {
    const tx = requireTx(execution, "1.0/queryPage");
    if (execution.componentId !== "") {
      throw new UserError(
        "PaginationUnsupportedInComponents",
        "paginate() is only supported in the app, not in components: use `paginator` of convex-helpers there.",
      );
    }
    if (execution.hasPaginated) {
      throw new UserError(
        "MultiplePaginatedDatabaseQueries",
        "This query or mutation function ran multiple paginated queries. Convex only supports a single paginated query in each function.",
      );
    }
    execution.hasPaginated = true;
    const query = queryArg(args);
    const plan = planQuery(tx, execution.componentId, query);
    const endCursor = textOrNull(args["endCursor"]) ?? journaledEnd(execution);
    const result = readPage(tx, plan, {
      query,
      cursor: textOrNull(args["cursor"]),
      endCursor,
      pageSize: Number(args["pageSize"]),
      maximumRowsRead: numberOrNull(args["maximumRowsRead"]),
      maximumBytesRead: numberOrNull(args["maximumBytesRead"]),
    });
    execution.nextJournal = JSON.stringify({ end_cursor: result.continueCursor });
    const { page, ...rest } = result;
    return `{"page":[${page.join(",")}],${JSON.stringify(rest).slice(1)}`;
  },
};

function journaledEnd({ journal }: Execution): string | null {
  if (journal === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(journal);
  } catch {
    // A client's journal from elsewhere: the page is read anew.
    return null;
  }
  if (typeof parsed !== "object" || parsed === null || !("end_cursor" in parsed)) return null;
  return typeof parsed.end_cursor === "string" ? parsed.end_cursor : null;
}

// Queries are serialized by convex/server; what they name is checked when planned.
const queryArg = (args: Args): QueryJson => args["query"] as unknown as QueryJson;
const textOrNull = (value: JSONValue | undefined): string | null =>
  typeof value === "string" ? value : null;
const numberOrNull = (value: JSONValue | undefined): number | null =>
  typeof value === "number" ? value : null;
