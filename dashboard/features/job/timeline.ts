/** The words of a job's timeline. Pure. */
import type { AttemptView, EventView } from "../../../convex/protocol/view.js";
import { formatActor, formatWord } from "../../lib/format.js";
import type { Tone } from "../../lib/stateLook.js";

export type Row = {
  key: string;
  at: number;
  title: string;
  /** Why, or what the backend adds. */
  cause: string | undefined;
  by: string;
  tone: Tone;
};

/** What each cause of an event is called, and how it looks where the state it led to says nothing. */
const TITLES: Record<string, string> = {
  submit: "Submitted",
  assign: "Given to an executor",
  start: "Started",
  resume: "Goes on from the last checkpoint",
  startOver: "Starts over: the checkpoint could not be used",
  succeed: "Succeeded",
  fail: "Failed",
  interrupt: "Interrupted without fault of the job",
  expire: "Reclaimed by the queue",
  wake: "What it waited for is there",
  park: "A rule keeps it from running",
  hold: "Held",
  release: "Released",
  ask: "Asks whether it may call a tool",
  answer: "Answered",
  snooze: "Put off",
  requeue: "Sent back to the queue",
  cancel: "Asked to cancel",
  canceled: "Canceled",
  retry: "Retried: attempts count anew",
};

const TONES: Record<string, Tone> = {
  succeeded: "good",
  failed: "bad",
  backoff: "warn",
  waiting: "held",
  held: "held",
  running: "live",
  assigned: "live",
};

/** Where it leads, said only where the title leaves it open. */
const LEADS: Record<string, string> = {
  pending: "back to the queue",
  waiting: "waits",
  backoff: "tried again after a pause",
  failed: "the job has failed",
};

/** Events and the phases of the latest attempt as one story, oldest first. */
export function storyOf(events: readonly EventView[], latest: AttemptView | null): Row[] {
  const rows = events.map(rowOf);
  const phases = (latest?.phases ?? []).filter(({ phase }) => phase !== "cloning");
  const more = phases.map(({ phase, at }): Row => {
    const title = phase === "running" ? "Cloned; Claude starts" : "Claude has ended; collecting";
    return { key: `phase-${phase}`, at, title, cause: undefined, by: "", tone: "live" };
  });
  // Stable: what has the same time stays in the order of the events.
  return [...rows, ...more].sort((a, b) => a.at - b.at);
}

function rowOf(event: EventView): Row {
  const { seq, at, cause, to, actor, reason, detail } = event;
  const isBad = cause === "fail" || cause === "expire" || cause === "startOver";
  return {
    key: String(seq),
    at,
    title: titleOf(event),
    cause: [reason === undefined ? undefined : formatWord(reason), detail, leadOf(event)]
      .filter((part) => part !== undefined && part !== "")
      .join(" · "),
    by: byOf(actor),
    tone: isBad && to !== "failed" ? "warn" : (TONES[to] ?? "calm"),
  };
}

function titleOf({ cause, to, attempt }: EventView): string {
  const title = TITLES[cause] ?? formatWord(cause);
  if (cause === "assign" || cause === "start") return `${title}, attempt ${attempt}`;
  // A direct hand-over: the submission found a free slot.
  return cause === "submit" && to === "assigned" ? `${title} and given to an executor` : title;
}

function leadOf({ cause, to }: EventView): string | undefined {
  const isOpen = ["fail", "interrupt", "expire", "requeue", "wake"].includes(cause);
  if (!isOpen) return undefined;
  return cause === "fail" && to === "failed" ? undefined : LEADS[to];
}

function byOf(actor: string): string {
  return actor.startsWith("executor:") ? actor.slice("executor:".length) : formatActor(actor);
}
