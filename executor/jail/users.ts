import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../clock.js";
import { findProcessesOf, signalProcess, startTimeOf } from "../processTree.js";

/**
 * User ids for runs, when the executor is root: one for each run at a time, on the whole machine, so
 * that runs can neither see nor count against each other. Who holds one is written in a file of its
 * name; a file whose process is gone is free, and what that user still runs is ended first.
 */
export interface Users {
  /** Rejects when all are taken. */
  take(): Promise<User>;
  /** Ends what runs of executors that are gone left behind. */
  sweep(): Promise<void>;
}
export type User = Readonly<{
  uid: number;
  /** Ends every process of this user; false when some are left. */
  endAll(): Promise<boolean>;
  release(): Promise<void>;
}>;

/** Above what distributions give to people (1000 up), below what systemd takes (60513 up). */
const FIRST = 58_000;
const COUNT = 256;
const PASSES_MAX = 50;
const PASS_MS = 10;

export function createUsers(folder: string, clock: Clock): Users {
  const fileOf = (uid: number): string => path.join(folder, String(uid));
  const claim = async (uid: number): Promise<boolean> => {
    const content = JSON.stringify({ pid: process.pid, start: await startTimeOf(process.pid) });
    const isMine = await succeeds(writeFile(fileOf(uid), content, { flag: "wx", mode: 0o600 }));
    if (!isMine || !(await succeeds(stat(dying(fileOf(uid)))))) return isMine;
    await rm(fileOf(uid));
    return false;
  };
  return {
    take: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (let uid = FIRST; uid < FIRST + COUNT; uid += 1) {
        if (!(await claim(uid))) continue;
        return {
          uid,
          endAll: () => endProcesses(uid, clock),
          release: async () => {
            await endProcesses(uid, clock);
            await rm(fileOf(uid), { force: true });
          },
        };
      }
      throw new Error(`all ${COUNT} user ids for runs are taken; see ${folder}`);
    },
    sweep: async () => {
      const names = await readdir(folder).catch(() => []);
      for (const name of names.filter((each) => /^\d+$/.test(each)).slice(0, COUNT)) {
        const file = fileOf(Number(name));
        // Only one of several executors can move the file, and while it is there nobody takes the id.
        if (!(await isOrphan(file)) || !(await succeeds(rename(file, dying(file))))) continue;
        await endProcesses(Number(name), clock);
        await rm(dying(file), { force: true });
      }
    },
  };
}

const dying = (file: string): string => `${file}.dying`;

/** False for an error of the system, such as a file that is there, or is not. */
function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && "code" in error) return false;
      throw error;
    },
  );
}

async function isOrphan(file: string): Promise<boolean> {
  const text = await readFile(file, "utf8").catch(() => "");
  const [, pid, start] = /^\{"pid":(\d+),"start":"(\d+)"\}$/.exec(text) ?? [];
  // A file that is being written has no content yet; its writer lives.
  if (pid === undefined) return false;
  return (await startTimeOf(Number(pid))) !== start;
}

/** Kills every process of `uid` until a pass finds none. */
async function endProcesses(uid: number, clock: Clock): Promise<boolean> {
  for (let pass = 0; pass < PASSES_MAX; pass += 1) {
    const found = await findProcessesOf(uid);
    if (found.length === 0) return true;
    for (const pid of found) signalProcess(pid, "SIGKILL");
    await new Promise<void>((resolve) => clock.after(PASS_MS, resolve));
  }
  return false;
}
