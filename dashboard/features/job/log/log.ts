/** The log of an attempt, live: the only place of the viewer that talks to the backend. */
import { useConvex, useQuery, type ConvexReactClient } from "convex/react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { api } from "../../../../convex/_generated/api.js";
import type { JobId } from "../job.js";
import { LogSource, type LogState } from "./source.js";

/** Logs that are kept for who comes back to them. */
const KEPT_MAX = 4;
const kept = new WeakMap<ConvexReactClient, Map<string, LogSource>>();

/** What there is of the log, and how to ask again for what could not be read. */
export function useLog(jobId: JobId, attempt: number): LogState & { retry: () => void } {
  const convex = useConvex();
  const [source] = useState(() => sourceOf(convex, jobId, attempt));
  const state = useSyncExternalStore(source.subscribe, source.state);
  const { after } = source;
  const args = { jobId, attempt, ...(after === undefined ? {} : { after }) };
  const tail = useQuery(api.logs.tail, args);
  useEffect(() => {
    if (tail !== undefined) source.receive(tail);
  }, [tail, source]);
  return { ...state, retry: source.retry };
}

function sourceOf(convex: ConvexReactClient, jobId: JobId, attempt: number): LogSource {
  const sources = kept.get(convex) ?? new Map<string, LogSource>();
  kept.set(convex, sources);
  const key = `${jobId}/${attempt}`;
  const read = (from: number) => convex.query(api.logs.chunks, { jobId, attempt, from });
  const source = sources.get(key) ?? new LogSource(read);
  // At the end again: the one that was not read for longest goes first.
  sources.delete(key);
  sources.set(key, source);
  for (const oldest of [...sources.keys()].slice(0, -KEPT_MAX)) sources.delete(oldest);
  return source;
}
