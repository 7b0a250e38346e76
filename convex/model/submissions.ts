import type { Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { parseRef, parseRepository } from "../domain/repository.js";
import {
  checkIdempotencyKey,
  checkLimits,
  checkPriority,
  checkPrompt,
} from "../domain/submission.js";
import * as Env from "../lib/env.js";
import { accept } from "../lib/errors.js";
import type { JobLimits } from "../protocol/job.js";
import * as Jobs from "./jobs.js";

/** A submission as somebody typed it. */
export type Typed = {
  repository: string;
  ref?: string;
  prompt: string;
  limits?: JobLimits;
  priority?: number;
  idempotencyKey?: string;
};

/** Checks each part, then puts the job into the queue. Throws INVALID_ARGUMENT with one sentence. */
export async function submit(
  ctx: MutationCtx,
  typed: Typed,
  submittedBy: string,
): Promise<{ jobId: Id<"jobs">; deduplicated: boolean }> {
  const hosts = (Env.find("REPOSITORY_HOSTS") ?? "github.com").split(",");
  const allowed = {
    hosts: hosts.map((host) => host.trim().toLowerCase()).filter((host) => host !== ""),
    local: Env.find("ALLOW_LOCAL_REPOSITORIES") === "1",
  };
  return Jobs.submit(ctx, {
    spec: {
      repository: accept(parseRepository(typed.repository, allowed)),
      ref: accept(parseRef(typed.ref)),
      limits: accept(checkLimits(typed.limits ?? {})),
    },
    prompt: accept(checkPrompt(typed.prompt)),
    priority: accept(checkPriority(typed.priority)),
    idempotencyKey: accept(checkIdempotencyKey(typed.idempotencyKey)),
    submittedBy,
  });
}
