/**
 * The queries one socket holds open: what they are, whether their last result still stands, and what
 * was last sent for them. Running and sending belong to transitions.ts.
 */
import { createHash } from "node:crypto";
import type { JSONValue } from "convex/values";
import type { Subscription } from "../engine/engine.js";
import type { QueryOutcome } from "../functions/types.js";
import { syncLimits } from "./limits.js";
import { ProtocolError, type AddedQuery, type QueryModification } from "./protocol.js";

/** A query as the client asked for it, with the life of its result. */
export type HeldQuery = {
  readonly queryId: number;
  readonly udfPath: string;
  readonly componentPath: string;
  readonly args: JSONValue;
  /** Starts as the client sent it; every run replaces it, so that re-runs read the same interval. */
  journal: string | null;
  /** The last result was computed for another identity. */
  isOutdated: boolean;
  /** Digest of what was last sent; null until something was. */
  sentDigest: string | null;
  /** Watches what the last run read; null until the first run. */
  watch: Subscription | null;
};

export class QuerySet {
  readonly #queries = new Map<number, HeldQuery>();
  /** Removed since the last Transition, which must tell the client so. */
  #removed: number[] = [];

  /** Applies one client change. Throws ProtocolError when it contradicts what is held. */
  apply(modification: QueryModification): void {
    switch (modification.type) {
      case "Add":
        this.#add(modification);
        return;
      case "Remove":
        this.#remove(modification.queryId);
        return;
    }
  }

  /** Queries whose result must be computed before the next Transition. */
  stale(): HeldQuery[] {
    return [...this.#queries.values()].filter(
      ({ watch, isOutdated }) => isOutdated || watch?.isValid !== true,
    );
  }

  isHeld(query: HeldQuery): boolean {
    return this.#queries.get(query.queryId) === query;
  }

  /** All must run again, for a new identity. */
  markAllOutdated(): void {
    for (const query of this.#queries.values()) query.isOutdated = true;
  }

  /** The ids removed since this was last called. */
  takeRemoved(): number[] {
    const removed = this.#removed;
    this.#removed = [];
    return removed;
  }

  /** Drops every watch; the set is not used afterwards. */
  close(): void {
    for (const query of this.#queries.values()) query.watch?.close();
    this.#queries.clear();
  }

  #add(added: AddedQuery): void {
    if (this.#queries.has(added.queryId)) {
      throw new ProtocolError(`query ${added.queryId} was added twice`);
    }
    if (this.#queries.size >= syncLimits.queriesMax) {
      throw new ProtocolError(`more than ${syncLimits.queriesMax} queries on one socket`);
    }
    this.#queries.set(added.queryId, {
      queryId: added.queryId,
      udfPath: added.udfPath,
      componentPath: added.componentPath ?? "",
      args: added.args[0] ?? {},
      journal: added.journal ?? null,
      isOutdated: false,
      sentDigest: null,
      watch: null,
    });
  }

  #remove(queryId: number): void {
    const query = this.#queries.get(queryId);
    if (query === undefined)
      throw new ProtocolError(`query ${queryId} was removed but never added`);
    query.watch?.close();
    this.#queries.delete(queryId);
    this.#removed.push(queryId);
  }
}

/** Equal digests mean that the client already shows this outcome. */
export function digestOf(outcome: QueryOutcome): string {
  const shown = outcome.ok
    ? { value: outcome.value }
    : { message: outcome.error.message, data: outcome.error.data };
  return createHash("sha1")
    .update(JSON.stringify([shown, outcome.logLines, outcome.journal]))
    .digest("base64");
}
