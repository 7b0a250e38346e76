/** Keeps the timestamps that query_ts gave out readable for a while, for queries that belong together. */
import type { Engine, HeldSnapshot } from "../engine/engine.js";
import { httpLimits } from "./limits.js";

type Kept = { snapshot: HeldSnapshot; timer: NodeJS.Timeout };

export class RecentSnapshots {
  readonly #engine: Pick<Engine, "hold">;
  readonly #kept = new Map<bigint, Kept>();

  constructor(engine: Pick<Engine, "hold">) {
    this.#engine = engine;
  }

  /** The newest timestamp, readable for snapshotMs from now. */
  take(): bigint {
    const snapshot = this.#engine.hold();
    const { ts } = snapshot;
    this.#drop(ts);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= httpLimits.snapshotsMax && oldest !== undefined) this.#drop(oldest);
    const timer = setTimeout(() => {
      this.#drop(ts);
    }, httpLimits.snapshotMs);
    timer.unref();
    this.#kept.set(ts, { snapshot, timer });
    return ts;
  }

  has(ts: bigint): boolean {
    return this.#kept.has(ts);
  }

  #drop(ts: bigint): void {
    const kept = this.#kept.get(ts);
    if (kept === undefined) return;
    this.#kept.delete(ts);
    clearTimeout(kept.timer);
    kept.snapshot.release();
  }
}
