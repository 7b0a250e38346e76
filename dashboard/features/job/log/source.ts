/**
 * The log of one attempt in this browser: what is sealed is fetched once and kept, what is new comes by one
 * subscription that is sent each entry once. No React.
 */
import type { LogChunk, LogEntry, LogTail } from "../../../../convex/protocol/log.js";
import { LOG_CHUNKS_PER_READ_MAX } from "../../../../convex/protocol/limits.js";
import { LogModel } from "./model.js";

/** Reads sealed chunks from an index on. */
export type ReadChunks = (from: number) => Promise<readonly LogChunk[]>;

/** Reads that are under way at once. */
const READS_MAX = 3;

type Piece = { firstSeq: number; entries: readonly LogEntry[] };

export type LogState = {
  model: LogModel;
  /** Grows with every change of the model. */
  version: number;
  /** False while earlier entries are still to come: the model then holds the end of the log alone. */
  isWhole: boolean;
  /** Of the sealed chunks, how many are here. */
  share: number;
  problem: unknown;
};

export class LogSource {
  /** First entry that the subscription has not handed out; undefined before its first answer. */
  after: number | undefined;
  readonly #read: ReadChunks;
  readonly #listeners = new Set<() => void>();
  readonly #model = new LogModel();
  /** What is shown while the beginning is on its way. */
  readonly #end = new LogModel();
  #pieces: Piece[] = [];
  #sealed = 0;
  /** First chunk that nobody has asked for. */
  #nextChunk = 0;
  #got = 0;
  #reading = 0;
  /** From then on what is shown is the log from its beginning. */
  #wasWhole = false;
  #state: LogState;

  constructor(read: ReadChunks) {
    this.#read = read;
    this.#state = { model: this.#end, version: 0, isWhole: false, share: 0, problem: null };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): LogState => this.#state;

  /** Takes an answer of the subscription: of entries from `after` on. */
  receive({ sealedChunks, tailSeq, tail }: LogTail): void {
    const known = Math.max(0, (this.after ?? tailSeq) - tailSeq);
    if (!this.#wasWhole) this.#end.append(tail.slice(known));
    this.after = Math.max(this.after ?? 0, tailSeq + tail.length);
    this.#pieces.push({ firstSeq: tailSeq, entries: tail });
    this.#sealed = Math.max(this.#sealed, sealedChunks);
    this.#settle();
    // Everything that is sealed came by the subscription: there is nothing to fetch of it.
    if (this.#isWhole() && this.#reading === 0) this.#nextChunk = this.#sealed;
    this.#fetch();
  }

  /** Asks again for what could not be read. */
  readonly retry = (): void => {
    this.#change({ problem: null });
    this.#fetch();
  };

  #isWhole(): boolean {
    return this.after !== undefined && this.#model.entries.length >= this.after;
  }

  #fetch(): void {
    if (this.#isWhole() || this.#state.problem !== null) return;
    while (this.#reading < READS_MAX && this.#nextChunk < this.#sealed) {
      const from = this.#nextChunk;
      this.#nextChunk = Math.min(this.#sealed, from + LOG_CHUNKS_PER_READ_MAX);
      this.#reading += 1;
      this.#read(from).then(
        (chunks) => {
          this.#reading -= 1;
          this.#got += chunks.length;
          this.#pieces.push(...chunks);
          this.#settle();
          this.#fetch();
        },
        (problem: unknown) => {
          this.#reading -= 1;
          this.#nextChunk = Math.min(this.#nextChunk, from);
          this.#change({ problem });
        },
      );
    }
  }

  /** Joins what has come in the order of the log. */
  #settle(): void {
    this.#pieces.sort((a, b) => a.firstSeq - b.firstSeq);
    const later: Piece[] = [];
    for (const piece of this.#pieces) {
      const length = this.#model.entries.length;
      if (piece.firstSeq > length) later.push(piece);
      else this.#model.append(piece.entries.slice(length - piece.firstSeq));
    }
    this.#pieces = later;
    this.#wasWhole ||= this.#isWhole();
    this.#change({
      isWhole: this.#wasWhole,
      model: this.#wasWhole ? this.#model : this.#end,
      share: this.#sealed === 0 ? 1 : Math.min(1, this.#got / this.#sealed),
    });
  }

  #change(change: Partial<LogState>): void {
    this.#state = { ...this.#state, ...change, version: this.#state.version + 1 };
    for (const listener of this.#listeners) listener();
  }
}
