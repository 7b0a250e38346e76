import { appendFile, readFile } from "node:fs/promises";
import path from "node:path";
import type { Checkpoint, StoredPart } from "../convex/protocol/checkpoint.js";
import type { HeldAttempt } from "../convex/protocol/executor.js";
import {
  CHECKPOINT_BYTES_PER_ATTEMPT_MAX,
  CHECKPOINT_CHUNK_BYTES,
  CHECKPOINT_TRANSCRIPT_PARTS_MAX,
  CHECKPOINT_TREE_PARTS_MAX,
} from "../convex/protocol/limits.js";
import type { Backend } from "./backend.js";
import type { Baseline, GitTools } from "./changes.js";
import {
  isToolResult,
  packLines,
  parseMirror,
  type TranscriptLine,
} from "./checkpointTranscript.js";
import { packTree, type TreeHeader } from "./checkpointTree.js";
import { type Clock, pause, within } from "./clock.js";
import type { Logger } from "./logger.js";
import { uploadBytes } from "./transfer.js";

/**
 * Keeps how far one run has come: after each batch of its transcript with a tool's result, one
 * checkpoint at a time. What cannot be kept is said and counted, and the run goes on.
 */
export interface Checkpointer {
  /** Takes a line of the CLI's stdout, without secrets; true if it was of the transcript and is nobody else's to read. */
  onLine(line: string): boolean;
  /**
   * One last checkpoint of how things are now; waits `ms` at most. `deferred` is the call of a tool that
   * the conversation stands at.
   */
  flush(ms: number, deferred?: string): Promise<void>;
  /** Makes no more. */
  stop(): void;
  counts(): CheckpointCounts;
}
type CheckpointCounts = { taken: number; skipped: number; bytes: number; ms: number };

type CheckpointerOptions = {
  held: HeldAttempt;
  backend: Pick<Backend, "uploadUrls" | "attachCheckpoint">;
  clock: Clock;
  logger: Logger;
  sessionId: string;
  /** Where the CLI runs, as its transcript names it. */
  cwd: string;
  /** Folder of the attempt, for the transcript as a whole. */
  folder: string;
  baseline: Baseline;
  tools: GitTools;
  /** What the attempt went on from; undefined: from nothing. */
  restored: { lines: readonly TranscriptLine[]; tree: TreeHeader; parts: number } | undefined;
  /** Tells people that there is no checkpoint for now. */
  onSkip: (why: string) => void;
  onError: (error: unknown) => void;
};

/** A checkpoint takes at most half of the time, and none begins later than this after it is due. */
const PAUSE_MS_MAX = 10_000;

export function createCheckpointer(options: CheckpointerOptions): Checkpointer {
  return new TurnCheckpointer(options);
}

class TurnCheckpointer implements Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #stopping = new AbortController();
  readonly #counts: CheckpointCounts = { taken: 0, skipped: 0, bytes: 0, ms: 0 };
  readonly #said = new Set<string>();
  /** Lines that no checkpoint holds yet. */
  #pending: TranscriptLine[] = [];
  #turns: number;
  #seq = 0;
  /** Parts of the transcript that the deployment keeps. */
  #parts: number;
  #tree: TreeHeader | undefined;
  /** The deployment may or may not have the last one: the next stands for itself. */
  #isUnsure = false;
  #isDue = false;
  #deferred: string | undefined;
  #running: Promise<void> | undefined;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    const { restored } = options;
    this.#turns = restored?.lines.filter(isToolResult).length ?? 0;
    this.#parts = restored?.parts ?? 0;
    this.#tree = restored?.tree;
  }

  onLine(line: string): boolean {
    const lines = parseMirror(line);
    if (lines === undefined) return false;
    this.#pending.push(...lines);
    const results = lines.filter(isToolResult).length;
    this.#turns += results;
    if (results > 0) this.#begin();
    return true;
  }

  async flush(ms: number, deferred?: string): Promise<void> {
    const all = async (): Promise<void> => {
      await this.#running;
      this.#deferred = deferred;
      await this.#make();
    };
    if (!this.#stopping.signal.aborted) await within(this.#options.clock, ms, all());
  }

  stop(): void {
    this.#stopping.abort();
  }

  counts(): CheckpointCounts {
    return { ...this.#counts };
  }

  #begin(): void {
    this.#isDue = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (this.#takeDue()) {
      const startedAt = clock.monotonic();
      await this.#make();
      const tookMs = clock.monotonic() - startedAt;
      if (this.#isDue) await pause(clock, Math.min(PAUSE_MS_MAX, tookMs), signal);
    }
  }

  #takeDue(): boolean {
    const isDue = this.#isDue && !this.#stopping.signal.aborted;
    this.#isDue = false;
    return isDue;
  }

  /** Never rejects. */
  async #make(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const lines = this.#pending.splice(0);
    try {
      await this.#attach(lines);
    } catch (error) {
      this.#pending.unshift(...lines);
      this.#counts.skipped += 1;
      this.#options.onError(error);
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#said.has(why)) this.#options.onSkip(why);
      this.#said.add(why);
    }
  }

  async #attach(lines: readonly TranscriptLine[]): Promise<void> {
    const { clock, baseline, tools, backend, held, logger } = this.#options;
    const { sessionId, cwd } = this.#options;
    const startedAt = clock.monotonic();
    const turns = this.#turns;
    // The tree after the transcript: what it is ahead by is only done again.
    const tree = await packTree(baseline, tools, this.#isUnsure ? undefined : this.#tree);
    const mode = this.#seq === 0 || this.#needsWhole() ? this.#firstMode() : "append";
    const transcript = packLines(mode === "append" ? lines : await this.#whole(lines));
    const treeChunks = tree === null ? [] : chunksOf(tree.packed);
    const chunks = chunksOf(transcript);
    this.#require([...chunks, ...treeChunks], treeChunks.length);
    const stored = await this.#upload([...chunks, ...treeChunks]);
    const seq = this.#seq + 1;
    const ms = Math.round(clock.monotonic() - startedAt);
    const checkpoint: Checkpoint = {
      ...{ seq, sessionId, cwd, commit: baseline.commit, turns, ms },
      transcript: { mode, parts: stored.slice(0, chunks.length) },
      tree: tree === null ? null : stored.slice(chunks.length),
      ...(this.#deferred === undefined ? {} : { deferred: this.#deferred }),
    };
    this.#isUnsure = true;
    this.#seq = seq;
    await backend.attachCheckpoint(held, checkpoint);
    this.#isUnsure = false;
    await this.#remember(lines);
    this.#parts = (mode === "append" ? this.#parts : 0) + chunks.length;
    this.#tree = tree?.header ?? this.#tree;
    const bytes = sum([...chunks, ...treeChunks]);
    this.#counts.taken += 1;
    this.#counts.bytes += bytes;
    this.#counts.ms += ms;
    const leftOut = tree?.header.leftOut ?? 0;
    logger.info("checkpoint", {
      ...held,
      seq,
      turns,
      bytes,
      treeBytes: sum(treeChunks),
      ms,
      leftOut,
    });
  }

  /** The first of an attempt stands for itself, unless it goes on from an earlier one. */
  #firstMode(): "append" | "replace" {
    const goesOn = this.#seq === 0 && this.#options.restored !== undefined;
    return goesOn && !this.#needsWhole() ? "append" : "replace";
  }

  #needsWhole(): boolean {
    return this.#isUnsure || this.#parts >= CHECKPOINT_TRANSCRIPT_PARTS_MAX / 2;
  }

  #require(chunks: readonly Buffer[], treeChunks: number): void {
    if (treeChunks > CHECKPOINT_TREE_PARTS_MAX) throw new Error("the tree is too large");
    if (this.#counts.bytes + sum(chunks) > CHECKPOINT_BYTES_PER_ATTEMPT_MAX) {
      throw new Error("the attempt's bytes for checkpoints are used up");
    }
  }

  async #upload(chunks: readonly Buffer[]): Promise<StoredPart[]> {
    const { backend, held } = this.#options;
    const urls = await backend.uploadUrls(held, chunks.length);
    const stored: StoredPart[] = [];
    for (const [i, chunk] of chunks.entries()) {
      const url = urls[i];
      if (url === undefined) throw new Error("the deployment gave out too few addresses");
      stored.push(await uploadBytes(url, chunk));
    }
    return stored;
  }

  get #file(): string {
    return path.join(this.#options.folder, "transcript.jsonl");
  }

  async #remember(lines: readonly TranscriptLine[]): Promise<void> {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    await appendFile(this.#file, text, { mode: 0o600 });
  }

  /** All lines there ever were, for a transcript in one piece. */
  async #whole(lines: readonly TranscriptLine[]): Promise<TranscriptLine[]> {
    const text = await readFile(this.#file, "utf8").catch(() => "");
    // Written by `#remember` alone.
    const kept = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as TranscriptLine);
    return [...(this.#options.restored?.lines ?? []), ...kept, ...lines];
  }
}

function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHECKPOINT_CHUNK_BYTES) {
    chunks.push(bytes.subarray(at, at + CHECKPOINT_CHUNK_BYTES));
  }
  return chunks;
}

function sum(chunks: readonly Buffer[]): number {
  return chunks.reduce((bytes, chunk) => bytes + chunk.length, 0);
}
