import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import path from "node:path";
import type { HeldAttempt } from "../convex/protocol/executor.js";
import type { Artifact } from "../convex/protocol/artifact.js";
import type { ArtifactsReport } from "../convex/protocol/job.js";
import {
  ARTIFACT_BYTES_MAX,
  ARTIFACT_NAME_CHARS_MAX,
  ARTIFACTS_BYTES_MAX,
  ARTIFACTS_MAX,
} from "../convex/protocol/limits.js";
import { isStale } from "./attemptEnding.js";
import { type Backend, BackendError } from "./backend.js";
import { type Clock, pause } from "./clock.js";
import type { Redactor } from "./redact.js";
import { type Upload, upload } from "./transfer.js";
import { findFiles } from "./treeFiles.js";

/**
 * Carries files that a run left behind to the deployment. Nothing of the tree is trusted: links are not
 * followed, names are text and nothing more, and every bound is checked before a byte is sent.
 */
export interface ArtifactKeeper {
  /** Keeps bytes that the executor itself made. */
  patch(name: string, bytes: Buffer): Promise<void>;
  /** Keeps the files of `repo` that match. Rejects only when the attempt is no longer ours. */
  files(repo: string, patterns: readonly string[]): Promise<void>;
  report(): ArtifactsReport;
}

type KeeperOptions = {
  held: HeldAttempt;
  backend: Pick<Backend, "uploadUrls" | "attachArtifact">;
  clock: Clock;
  redactor: Redactor;
  signal: AbortSignal;
  /** Tells people what was left out and why. */
  mark: (text: string) => void;
};

const TRIES_MAX = 4;
const RETRY_MS = 500;
/** What of a file is in memory at a time. */
const PIECE_BYTES = 256 * 1024;
/** Reasons that are told one by one; the rest is counted. */
const NOTES_MAX = 20;
/** Characters of a name in a note. */
const NOTE_NAME_CHARS = 120;

export function createArtifactKeeper(options: KeeperOptions): ArtifactKeeper {
  return new Keeper(options);
}

class Keeper implements ArtifactKeeper {
  readonly #options: KeeperOptions;
  readonly #report: ArtifactsReport = { kept: 0, bytes: 0, leftOut: 0 };
  readonly #notes: string[] = [];
  /** The deployment took one file not after all tries: the others are not worth the wait. */
  #isDown = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  async patch(name: string, bytes: Buffer): Promise<void> {
    const what = { name, kind: "patch" as const, bytes: bytes.length, sha256: digest(bytes) };
    await this.#guard(name, () => this.#send(what, () => bytes));
  }

  async files(repo: string, patterns: readonly string[]): Promise<void> {
    if (patterns.length === 0) return;
    const { signal, mark } = this.#options;
    const found = await findFiles(repo, patterns, signal);
    for (const pattern of found.unmatched) mark(`no file matches ${quote(pattern)}`);
    for (const name of found.others) this.#leaveOut(name, "it is no regular file");
    for (const name of found.files) await this.#guard(name, () => this.#file(repo, name));
    if (found.isCut) this.#leaveOut("the rest", "the tree is too large to look through");
  }

  report(): ArtifactsReport {
    if (this.#notes.length === 0) return { ...this.#report };
    const more = this.#report.leftOut - this.#notes.length;
    const rest = more > 0 ? [`and ${more} more`] : [];
    return { ...this.#report, why: [...this.#notes, ...rest].join("; ") };
  }

  /** One file that cannot be kept stops no other; only a stale token does. */
  async #guard(name: string, keep: () => Promise<void>): Promise<void> {
    try {
      await keep();
    } catch (error) {
      if (isStale(error)) throw error;
      this.#leaveOut(name, error instanceof Error ? error.message : String(error));
    }
  }

  #leaveOut(name: string, why: string): void {
    this.#report.leftOut += 1;
    if (this.#notes.length >= NOTES_MAX) return;
    const note = this.#options.redactor.text(`${quote(name)}: ${why}`);
    this.#notes.push(note);
    this.#options.mark(`artifact left out: ${note}`);
  }

  async #file(repo: string, name: string): Promise<void> {
    const isText = !name.includes("\uFFFD") && !/[\0-\x1f\x7f\\]/.test(name);
    if (!isText || name.length > ARTIFACT_NAME_CHARS_MAX) throw new Error("its name is no text");
    const file = path.join(repo, name);
    const folder = path.dirname(file);
    if ((await realpath(folder)) !== path.join(await realpath(repo), path.dirname(name))) {
      throw new Error("its folder is a link");
    }
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    const handle = await open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new Error("it is no regular file");
      this.#requireRoom(stat.size);
      const sha256 = await inspect(handle, stat.size, this.#options.redactor);
      await this.#send({ name, kind: "file", bytes: stat.size, sha256 }, () =>
        pieces(handle, stat.size),
      );
    } finally {
      await handle.close();
    }
  }

  #requireRoom(bytes: number): void {
    if (bytes > ARTIFACT_BYTES_MAX) {
      throw new Error(`it has more than ${ARTIFACT_BYTES_MAX} bytes`);
    }
    if (this.#report.kept >= ARTIFACTS_MAX) throw new Error(`there are ${ARTIFACTS_MAX} already`);
    if (this.#report.bytes + bytes > ARTIFACTS_BYTES_MAX) {
      throw new Error(`all together would have more than ${ARTIFACTS_BYTES_MAX} bytes`);
    }
  }

  async #send(what: Omit<Artifact, "storageId">, body: () => Upload["body"]): Promise<void> {
    const { backend, held, clock, signal } = this.#options;
    for (let tries = 1; ; tries += 1) {
      if (signal.aborted) throw new Error("there was no time left for it");
      if (this.#isDown) throw new Error("the deployment takes no files now");
      try {
        const [url] = await backend.uploadUrls(held, 1);
        if (url === undefined) throw new Error("the deployment gave out no address");
        const { bytes, sha256 } = what;
        const stored = await upload(url, { body: body(), bytes, sha256, signal });
        await backend.attachArtifact(held, { ...what, ...stored });
        this.#report.kept += 1;
        this.#report.bytes += bytes;
        return;
      } catch (error) {
        // What the deployment itself refuses, it refuses again.
        const isFinal = error instanceof BackendError && error.code !== "OTHER";
        this.#isDown ||= !isFinal && tries === TRIES_MAX;
        if (isFinal || tries === TRIES_MAX) throw error;
        await pause(clock, RETRY_MS * 2 ** tries, signal);
      }
    }
  }
}

/** The digest of a file; throws when it holds a secret that the run was given. */
async function inspect(handle: FileHandle, bytes: number, redactor: Redactor): Promise<string> {
  const hash = createHash("sha256");
  const holdsSecret = redactor.scan();
  for await (const piece of pieces(handle, bytes)) {
    hash.update(piece);
    if (holdsSecret(piece.toString("latin1"))) throw new Error("it holds a secret of this run");
  }
  return hash.digest("hex");
}

/** The first `bytes` of a file; throws when it has fewer. */
async function* pieces(handle: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes;) {
    const room = Buffer.allocUnsafe(Math.min(PIECE_BYTES, bytes - at));
    const { bytesRead } = await handle.read(room, 0, room.length, at);
    if (bytesRead === 0) throw new Error("it changed while it was read");
    at += bytesRead;
    yield room.subarray(0, bytesRead);
  }
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A name as it may stand in a log: one line, whatever it holds. */
function quote(name: string): string {
  return JSON.stringify(
    name.length > NOTE_NAME_CHARS ? `${name.slice(0, NOTE_NAME_CHARS)}…` : name,
  );
}
