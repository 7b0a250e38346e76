/** A disk that remembers what was made durable, and a store on it that can be cut off at any moment. */
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import {
  StoreFailure,
  type Row,
  type ScanSpec,
  type SpaceId,
  type Store,
  type StoreBatch,
} from "../../embedded/store/store.js";
import type { Random } from "../embedded/fireRandom.js";

/** Everything durable, in order. */
export type Disk = { readonly batches: StoreBatch[] };

const TURNS_MAX = 3;

/** Reads as memory does; what is committed reaches the disk together, some turns later. */
export class CrashStore implements Store {
  readonly #disk: Disk;
  readonly #random: Random;
  readonly #live = new MemoryStore();
  #pending: StoreBatch[] = [];
  #flushing: Promise<void> | null = null;
  #isDead = false;

  constructor(disk: Disk, random: Random) {
    this.#disk = disk;
    this.#random = random;
    for (const batch of disk.batches) this.#live.commit(batch);
  }

  /** The process is gone. What was on its way to the disk arrives whole or not at all. */
  crash(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    if (this.#random.chance(0.5)) this.#disk.batches.push(...this.#pending);
    this.#pending = [];
  }

  get(space: SpaceId, key: string): string | null {
    this.#assertAlive();
    return this.#live.get(space, key);
  }

  scan(spec: ScanSpec): Row[] {
    this.#assertAlive();
    return this.#live.scan(spec);
  }

  count(space: SpaceId, lo: string, hi: string | null): number {
    this.#assertAlive();
    return this.#live.count(space, lo, hi);
  }

  metaGet(key: string): string | null {
    this.#assertAlive();
    return this.#live.metaGet(key);
  }

  metaScan(prefix: string): Row[] {
    this.#assertAlive();
    return this.#live.metaScan(prefix);
  }

  commit(batch: StoreBatch): void {
    this.#assertAlive();
    this.#live.commit(batch);
    this.#pending.push(batch);
    this.#flushing ??= this.#sync();
    // Whoever asks for durability hears of a failure through flush; nobody may be asking.
    this.#flushing.catch(() => undefined);
  }

  flush(): Promise<void> {
    if (this.#isDead) return Promise.reject(gone());
    return this.#flushing ?? Promise.resolve();
  }

  onFailure(): void {
    // The simulation knows when it crashes.
  }

  close(): Promise<void> {
    return this.flush();
  }

  async #sync(): Promise<void> {
    const turns = 1 + this.#random.int(TURNS_MAX);
    for (let turn = 0; turn < turns; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#assertAlive();
    this.#disk.batches.push(...this.#pending);
    this.#pending = [];
    this.#flushing = null;
  }

  #assertAlive(): void {
    if (this.#isDead) throw gone();
  }
}

const gone = () => new StoreFailure("the simulated process has crashed");
