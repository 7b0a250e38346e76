/** What the form reads and sends. */
import { useMutation, useQuery } from "convex/react";
import { useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { typedRepository } from "../../lib/format.js";
import type { Submission } from "./form.js";

const RECENT_JOBS = 50;
const KEY_BYTES = 16;

/** The job to begin with and its prompt; null when none is named, undefined while they load. */
export function useTemplateJob(jobId: string | undefined) {
  const args = jobId === undefined ? "skip" : { jobId };
  const job = useQuery(api.jobs.get, args);
  const prompt = useQuery(api.jobs.prompt, args);
  if (jobId === undefined) return null;
  return job === undefined || prompt === undefined ? undefined : { job, prompt };
}

export function useTemplates() {
  return useQuery(api.templates.list, {});
}

/** Repositories of the latest jobs, each once, the latest first. */
export function useRecentRepositories(): string[] {
  const paginationOpts = { numItems: RECENT_JOBS, cursor: null };
  const jobs = useQuery(api.jobs.list, { paginationOpts })?.page ?? [];
  return [...new Set(jobs.map(({ spec }) => typedRepository(spec.repository)))];
}

/** What an attempt cost on average in the last 30 days, dollars; null when there was none. */
export function useUsualCost(): number | null {
  const figures = useQuery(api.metrics.summary, { range: "month" })?.figures;
  if (figures === undefined) return null;
  const attempts = figures.attempts.succeeded + figures.attempts.failed;
  return attempts === 0 ? null : figures.costUsd / attempts;
}

/** Submits; sent twice, the same form makes one job. */
export function useSubmit() {
  const submit = useMutation(api.jobs.submit);
  const [idempotencyKey] = useState(newKey);
  return (submission: Submission) => submit({ ...submission, idempotencyKey });
}

/** Random, also where there is no https and so no randomUUID. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return `dashboard-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
