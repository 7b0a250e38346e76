import * as z from "zod/mini";
import { startTimeOf } from "./processTree.js";

/** A process that owns files: they are anybody's once it is gone. */
export const owner = z.object({ pid: z.number(), startTime: z.optional(z.string()) });
export type Owner = z.output<typeof owner>;

export async function thisProcess(): Promise<Owner> {
  const startTime = await startTimeOf(process.pid);
  return { pid: process.pid, ...(startTime === undefined ? {} : { startTime }) };
}

/** A pid alone may have passed to another process since; its start time tells them apart. */
export async function isAlive(left: Owner): Promise<boolean> {
  const startTime = await startTimeOf(left.pid);
  if (startTime !== undefined) return startTime === left.startTime;
  try {
    process.kill(left.pid, 0);
    return left.startTime === undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}
