import type { PublicJwk } from "../convex/protocol/executor.js";
import type { Clock } from "./clock.js";
import {
  type Boot,
  type Identity,
  keepKeys,
  makeKey,
  publicHalf,
  signAssertion,
  signRotation,
} from "./identity.js";

/** What `executors:rotateKey` takes. */
export type Rotation = { publicJwk: PublicJwk; assertion: string; proof: string };

/**
 * The keys of a running executor. While one replaces the other nobody here can know which of them the
 * deployment takes: its answer may be lost. So the next key is on disk before it is told, and either
 * is tried until one is taken.
 */
export interface Keys {
  readonly executorId: string;
  /** Signed with the key in use. */
  assertion(): string;
  /** Makes the next key, or takes the one of a rotation cut short, and keeps it beside the other. */
  prepare(): Promise<Rotation>;
  /** The deployment took the next key. */
  commit(): Promise<void>;
  /** Uses the other key from now on; false when there is none. */
  swap(): boolean;
  /** A token was granted with the key in use: if that is the next one, it has taken over. */
  granted(): Promise<void>;
}

export function keysOf(
  identity: Identity,
  { stateDir, boot, clock }: { stateDir: string; boot: Boot; clock: Clock },
): Keys {
  const { executorId } = identity;
  let { privateKey, nextKey } = identity;
  let isNextInUse = false;
  const commit = async (): Promise<void> => {
    if (nextKey === undefined) return;
    [privateKey, nextKey, isNextInUse] = [nextKey, undefined, false];
    await keepKeys(stateDir, { executorId, privateKey });
  };
  const inUse = () => (isNextInUse && nextKey !== undefined ? nextKey : privateKey);
  return {
    executorId,
    assertion: () => signAssertion({ executorId, privateKey: inUse() }, boot, clock),
    prepare: async () => {
      nextKey ??= makeKey();
      const rotation = { executorId, privateKey, nextKey };
      await keepKeys(stateDir, rotation);
      return { publicJwk: publicHalf(nextKey), ...signRotation(rotation, boot, clock) };
    },
    commit,
    swap: () => {
      if (nextKey === undefined) return false;
      isNextInUse = !isNextInUse;
      return true;
    },
    granted: async () => {
      if (isNextInUse) await commit();
    },
  };
}
