import type { Clock, Engine } from "../engine/engine.js";
import type { Deployment } from "./deployment.js";
import type { Runner } from "./runner.js";

export type BackendOptions = {
  /** A folder for durable data, or null for memory only. */
  dataDir: string | null;
  clock?: Clock;
  /** CONVEX_CLOUD_URL and CONVEX_SITE_URL as functions see them. */
  cloudUrl?: string;
  siteUrl?: string;
};

/** A request by the outside to read something without a function (admin "data" command). */
export type TablePage = { documents: string[]; isDone: boolean; continueCursor: string };

export type Backend = {
  engine: Engine;
  deployment: Deployment;
  runner: Runner;
  /** Waits for running mutations and durability, then closes. */
  close(): Promise<void>;
};

/** Opens the data folder (refused with one sentence if in use or newer) and the last deployment. */
export function openBackend(_options: BackendOptions): Promise<Backend> {
  return Promise.reject(new Error("not yet"));
}
