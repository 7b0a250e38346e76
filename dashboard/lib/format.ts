/** Numbers, times and names as people read them. Pure; the clock is an argument. */
import type { Repository } from "../../convex/protocol/job.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Clocks of two machines may differ by this much without a word. */
const SKEW_MS = 5_000;
/** Stands where there is no value. */
export const NOTHING = "—";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });
const exact = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "long",
});
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const count = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** "3 min. ago", "in 2 hr."; a few seconds either way are "just now". */
export function formatRelative(at: number, now: number): string {
  const ms = at - now;
  if (Math.abs(ms) < SKEW_MS) return "just now";
  const steps = [
    ["day", DAY],
    ["hour", HOUR],
    ["minute", MINUTE],
  ] as const;
  for (const [unit, size] of steps) {
    if (Math.abs(ms) >= size) return relative.format(Math.trunc(ms / size), unit);
  }
  return relative.format(Math.trunc(ms / SECOND), "second");
}

/** Date, time and zone. */
export function formatExact(at: number): string {
  return exact.format(at);
}

/** The time of day, local. */
export function formatClock(at: number): string {
  return clock.format(at);
}

/** "840 ms", "12.4 s", "3m 07s", "2h 14m", "3d 4h"; what would be negative is 0. */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < SECOND) return `${Math.round(whole)} ms`;
  if (whole < MINUTE) return `${(Math.floor(whole / 100) / 10).toFixed(1)} s`;
  const [days, hours] = [Math.floor(whole / DAY), Math.floor((whole % DAY) / HOUR)];
  const [minutes, seconds] = [
    Math.floor((whole % HOUR) / MINUTE),
    Math.floor((whole % MINUTE) / SECOND),
  ];
  const two = (n: number): string => String(n).padStart(2, "0");
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${two(minutes)}m`;
  return `${minutes}m ${two(seconds)}s`;
}

/** The same, of something that still goes on: whole seconds, so that it does not flicker. */
export function formatElapsed(ms: number): string {
  const whole = Math.max(0, ms);
  return whole < MINUTE ? `${Math.floor(whole / SECOND)} s` : formatDuration(whole);
}

/** Dollars: two digits from a dollar on, four below, where the cents of a run are. */
export function formatMoney(usd: number): string {
  if (usd === 0) return "$0.00";
  const digits = Math.abs(usd) >= 1 ? 2 : 4;
  return `$${usd.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** 1,234,567 */
export function formatCount(n: number): string {
  return count.format(n);
}

/** 1.2M */
export function formatCompact(n: number): string {
  return compact.format(n);
}

/** 0.934 → "93%"; what is not quite all is never "100%". */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (share < 1 && percent > 99) return "99%";
  if (share > 0 && percent < 1) return "1%";
  return `${Math.round(percent)}%`;
}

/** "1.5 MiB" */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"] as const;
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? "B"}`;
}

/** "owner/name"; other hosts than GitHub with theirs; the last folder of a local path. */
export function formatRepository(repository: Repository): string {
  if (repository.kind === "local") {
    const parts = repository.path.split("/").filter(Boolean);
    return parts.at(-1) ?? repository.path;
  }
  const { host, owner, name } = repository;
  return host === "github.com" ? `${owner}/${name}` : `${host}/${owner}/${name}`;
}

/** The same of a repository's name in figures and filters (`host/owner/name`), or as somebody typed it. */
export function formatRepositoryKey(key: string): string {
  if (key.startsWith("/")) return key.split("/").findLast((part) => part !== "") ?? key;
  return key.startsWith("github.com/") ? key.slice("github.com/".length) : key;
}

/** The repository as the backend reads it when a person types it. */
export function typedRepository(repository: Repository): string {
  if (repository.kind === "local") return repository.path;
  const { host, owner, name } = repository;
  return `https://${host}/${owner}/${name}`;
}

/** The repository as filters and bulk operations name it. */
export function repositoryKey(repository: Repository): string {
  return repository.kind === "local"
    ? repository.path
    : `${repository.host}/${repository.owner}/${repository.name}`;
}

/** "user:ada" → "ada"; the system's own actors stay as they are. */
export function formatActor(actor: string): string {
  return actor.startsWith("user:") ? actor.slice("user:".length) : actor;
}

/** The first characters of an id, which tell it from its neighbours. */
export function formatId(id: string): string {
  return id.slice(0, 8);
}

/** "leaseExpired" → "lease expired". */
export function formatWord(camel: string): string {
  return camel.replaceAll(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** "1 job", "2 jobs". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}
