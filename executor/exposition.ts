/** The executor's own numbers, as `/metrics` shows them; times in milliseconds, memory in bytes. */
export type Metrics = Record<"running" | "slots" | "started" | EndedAs, number> & {
  /** 1 while the deployment is connected. */
  connected: number;
  /** Since the last acknowledged heartbeat; -1 before the first. */
  sinceHeartbeatMs: number;
  uptimeMs: number;
  residentBytes: number;
};
type EndedAs = (typeof ENDED_AS)[number];
const ENDED_AS = [
  ...["succeeded", "failed", "canceled", "interrupted", "stopped", "asked", "unreported"],
] as const;

const SECOND_MS = 1_000;

type Family = { name: string; type: "counter" | "gauge"; help: string; lines: string[] };

/** The text format of Prometheus 0.0.4; every name begins with fondation_executor_. */
export function expositionText(metrics: Metrics, problems: number): string {
  const single =
    (type: Family["type"]) =>
    (name: string, help: string, value: number): Family => ({
      ...{ name, type, help },
      lines: [`fondation_executor_${name} ${String(value)}`],
    });
  const [counter, gauge] = [single("counter"), single("gauge")];
  const { sinceHeartbeatMs, uptimeMs } = metrics;
  const families: Family[] = [
    gauge("slots", "Attempts that may run at once.", metrics.slots),
    gauge("attempts_running", "Attempts under way.", metrics.running),
    counter("attempts_started_total", "Attempts begun by this process.", metrics.started),
    {
      name: "attempts_ended_total",
      type: "counter",
      help: "Attempts ended by this process, by outcome.",
      lines: ENDED_AS.map(
        (outcome) =>
          `fondation_executor_attempts_ended_total{outcome="${outcome}"} ${String(metrics[outcome])}`,
      ),
    },
    gauge("connected", "1 while the deployment is connected.", metrics.connected),
    gauge("problems", "Reasons why it cannot take work now; /ready names them.", problems),
    gauge("uptime_seconds", "Age of this process.", uptimeMs / SECOND_MS),
    gauge("resident_bytes", "Memory of this process.", metrics.residentBytes),
  ];
  if (sinceHeartbeatMs >= 0) {
    const age = sinceHeartbeatMs / SECOND_MS;
    families.push(gauge("heartbeat_age_seconds", "Since the last acknowledged heartbeat.", age));
  }
  return families.map(familyText).join("");
}

function familyText({ name, type, help, lines }: Family): string {
  const full = `fondation_executor_${name}`;
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines, ""].join("\n");
}
