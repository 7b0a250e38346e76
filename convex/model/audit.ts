import type { MutationCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";

/** Characters of a field in an audit row: names come from whoever tries to sign in. */
const FIELD_CHARS_MAX = 200;

/** Appends one line. It is kept only if the mutation commits: a refusal must return, not throw. */
export async function write(
  ctx: MutationCtx,
  line: { action: string; actor: string; target?: string; detail?: string },
): Promise<void> {
  const { action, actor, target, detail } = line;
  await ctx.db.insert("audit", {
    at: Clock.now(),
    action,
    actor: plain(actor),
    ...(target === undefined ? {} : { target: plain(target) }),
    ...(detail === undefined ? {} : { detail: plain(detail) }),
  });
}

/** One line of printable ASCII: an audit field cannot forge another. */
function plain(text: string): string {
  return text.slice(0, FIELD_CHARS_MAX).replace(/[^\x20-\x7e]/g, "?");
}
