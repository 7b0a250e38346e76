import { randomUUID } from "node:crypto";
import { connectBackend, type Backend } from "../../executor/backend.js";
import { systemClock } from "../../executor/clock.js";
import { loadIdentity } from "../../executor/identity.js";
import { keysOf } from "../../executor/keys.js";
import { createLogger } from "../../executor/logger.js";

/**
 * Speaks as an enrolled executor whose process is gone: the same key, a newer boot. For showing that
 * a good identity with a stale token changes nothing.
 */
export async function speakAs(url: string, stateDir: string): Promise<Backend> {
  const identity = await loadIdentity({
    stateDir,
    name: "unused",
    enrolToken: undefined,
    enrol: () => Promise.reject(new Error("the executor is enrolled already")),
  });
  const boot = { id: randomUUID(), at: systemClock.now() };
  return connectBackend({
    url,
    clock: systemClock,
    logger: createLogger({ level: "error", write: () => undefined, redact: (text) => text }),
    keys: keysOf(identity, { stateDir, boot, clock: systemClock }),
    onFinal: () => undefined,
  });
}
