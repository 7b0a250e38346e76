import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Id } from "./_generated/dataModel.js";
import { internalMutation, type MutationCtx } from "./_generated/server.js";
import { type Checked, passed } from "./domain/checked.js";
import { checkLimit } from "./domain/controls.js";
import { formOf, kindOf } from "./domain/credential.js";
import { checkKey } from "./domain/secret.js";
import * as Env from "./lib/env.js";
import { accept } from "./lib/errors.js";
import { userAction, userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Credentials from "./model/credentials.js";
import * as Secrets from "./model/secrets.js";
import * as UsageLimits from "./model/usageLimits.js";
import { credentialKind, credentialView } from "./protocol/credential.js";
import { CREDENTIAL_CONCURRENCY_MAX } from "./protocol/limits.js";
import { sealedSecret } from "./protocol/secret.js";

const one = { credentialId: v.id("claudeCredentials") };

/** What runs log in with, its status and limits, without what is secret; newest first. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(credentialView),
  handler: async (ctx) => Credentials.list(ctx),
});

/**
 * Keeps a credential for executors without a login of their own, in place of the one of the same
 * label. The value, a setup token or an API key, is sealed here and goes no further.
 */
export const create = userAction("administrator")({
  args: {
    kind: credentialKind,
    label: v.string(),
    value: v.string(),
    /** At most so many attempts at once; left out or null is no limit. */
    concurrency: v.optional(v.union(v.null(), v.number())),
    /** When the value itself ends, ms since the epoch. */
    expiresAt: v.optional(v.number()),
  },
  returns: v.object(one),
  handler: async (ctx, { kind, label, concurrency = null, ...given }): Promise<Created> => {
    const key = accept(checkKey("claude", label, Env.allowedRepositories()));
    accept(checkConcurrency(concurrency));
    const sealed = await Secrets.seal(key, { ...given, form: formOf(kind) }, ctx.actor);
    return ctx.runMutation(internal.credentials.put, { sealed, concurrency });
  },
});
type Created = { credentialId: Id<"claudeCredentials"> };

export const put = internalMutation({
  args: { sealed: sealedSecret, concurrency: v.union(v.null(), v.number()) },
  returns: v.object(one),
  handler: async (ctx, { sealed, concurrency }) => {
    const { secretId, isNew } = await Secrets.keep(ctx, sealed);
    const { name: label, setBy: actor } = sealed;
    const kind = kindOf(sealed.form);
    const credentialId = await Credentials.keep(ctx, { secretId, kind, label });
    await Credentials.setConcurrency(ctx, credentialId, concurrency);
    const action = isNew ? "credential.created" : "credential.replaced";
    await Audit.write(ctx, { action, actor, target: label });
    await UsageLimits.letIn(ctx);
    return { credentialId };
  },
});

/** Sets how many attempts may use a credential of the deployment at once; null is no limit. */
export const setConcurrency = userMutation("administrator")({
  args: { ...one, concurrency: v.union(v.null(), v.number()) },
  returns: v.null(),
  handler: async (ctx, { credentialId, concurrency }) => {
    const { label } = await Credentials.get(ctx, credentialId);
    await Credentials.setConcurrency(ctx, credentialId, accept(checkConcurrency(concurrency)));
    const detail = concurrency === null ? "no limit" : String(concurrency);
    const { actor } = ctx;
    await Audit.write(ctx, { action: "credential.concurrency", actor, target: label, detail });
    await UsageLimits.letIn(ctx);
    return null;
  },
});

/** Keeps a credential from being used; attempts that use it go on. */
export const disable = userMutation("operator")({
  args: one,
  returns: v.null(),
  handler: async (ctx, { credentialId }) => setStatus(ctx, credentialId, "disabled"),
});

/** Lets a credential be used again, a limited or failing one too: the next attempt shows. */
export const enable = userMutation("operator")({
  args: one,
  returns: v.null(),
  handler: async (ctx, { credentialId }) => setStatus(ctx, credentialId, "ok"),
});

async function setStatus(
  ctx: MutationCtx & { actor: string },
  credentialId: Id<"claudeCredentials">,
  status: "ok" | "disabled",
): Promise<null> {
  const row = await Credentials.get(ctx, credentialId);
  await UsageLimits.setStatus(ctx, row, status);
  const action = status === "ok" ? "credential.enabled" : "credential.disabled";
  await Audit.write(ctx, { action, actor: ctx.actor, target: row.label });
  return null;
}

function checkConcurrency(limit: number | null): Checked<number | null> {
  if (limit === null) return passed(null);
  return checkLimit("concurrency", limit, [1, CREDENTIAL_CONCURRENCY_MAX]);
}

/** The limit of a credential ends; scheduled for that second when it was hit. */
export const reset = internalMutation({
  args: one,
  returns: v.null(),
  handler: async (ctx, { credentialId }) => {
    await UsageLimits.reset(ctx, credentialId);
    return null;
  },
});
