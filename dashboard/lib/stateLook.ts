/** How a state looks: the one place that gives it a colour, an icon and a word. */
import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleX,
  Hourglass,
  LoaderCircle,
  RotateCw,
  Send,
  type LucideIcon,
} from "lucide-react";
import type { JobStateKind } from "../../convex/protocol/job.js";
import type { ExecutorView } from "../../convex/protocol/view.js";

/** Names a text colour of app.css and the soft ground that belongs to it. */
export type Tone = "good" | "bad" | "warn" | "live" | "held" | "calm";

export type Look = { word: string; tone: Tone; Icon: LucideIcon; isMoving?: true };

/** Words, classes that Tailwind can find. */
export const TONE_TEXT: Record<Tone, string> = {
  good: "text-good",
  bad: "text-bad",
  warn: "text-warn",
  live: "text-live",
  held: "text-held",
  calm: "text-calm",
};
export const TONE_SOFT: Record<Tone, string> = {
  good: "bg-good-soft",
  bad: "bg-bad-soft",
  warn: "bg-warn-soft",
  live: "bg-live-soft",
  held: "bg-held-soft",
  calm: "bg-calm-soft",
};

export const JOB_LOOK: Record<JobStateKind, Look> = {
  pending: { word: "Pending", tone: "calm", Icon: CircleDashed },
  waiting: { word: "Waiting", tone: "held", Icon: Hourglass },
  assigned: { word: "Assigned", tone: "live", Icon: Send },
  running: { word: "Running", tone: "live", Icon: LoaderCircle, isMoving: true },
  backoff: { word: "Backoff", tone: "warn", Icon: RotateCw },
  succeeded: { word: "Succeeded", tone: "good", Icon: CircleCheck },
  failed: { word: "Failed", tone: "bad", Icon: CircleX },
  canceled: { word: "Canceled", tone: "calm", Icon: Ban },
};

/** In the order of a job's life. */
export const JOB_STATES = [
  "pending",
  "waiting",
  "assigned",
  "running",
  "backoff",
  "succeeded",
  "failed",
  "canceled",
] as const satisfies readonly JobStateKind[];

export const PRESENCE_LOOK: Record<ExecutorView["presence"], Look> = {
  online: { word: "Online", tone: "good", Icon: CircleCheck },
  enrolled: { word: "Enrolled", tone: "calm", Icon: CircleDashed },
  offline: { word: "Offline", tone: "calm", Icon: Ban },
  lost: { word: "Lost", tone: "bad", Icon: CircleX },
};

/** Whether nothing more will happen by itself. */
export function isTerminal(kind: JobStateKind): boolean {
  return kind === "succeeded" || kind === "failed" || kind === "canceled";
}
