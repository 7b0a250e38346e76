import {
  BOUNDARIES_MS,
  type Bucket,
  type Histogram,
  type Ranking,
  type Sample,
} from "../protocol/metrics.js";
import { dollars } from "./rollup.js";

/** What the exposition shows: sums of all time, and the last look at the queue. */
export type Exposed = {
  total: Bucket;
  states: Record<string, number>;
  sample: Sample | null;
  rolledAt: number | null;
};

type Labels = Record<string, string>;
type Value = { labels?: Labels; value: number };
type Family = { name: string; help: string; type: "counter" | "gauge"; values: Value[] };

const SECOND_MS = 1_000;

/**
 * The text format of Prometheus 0.0.4. Names are fondation_<noun>_<unit>; the values of a label are
 * bounded: states, outcomes and reasons are closed lists. Spending is by model alone, whose names are
 * the fewest; keys beyond the bound are in "other". Counters start at the first roll-up and never fall,
 * but for a model that drops out of the named ones.
 */
export function prometheusText(exposed: Exposed): string {
  const { total } = exposed;
  const families = [...counters(total), ...gaugesOf(exposed)].map(familyText);
  const histograms = [
    histogramText("fondation_job_wait_seconds", "Time from pending to assigned.", total.wait),
    histogramText(
      "fondation_attempt_run_seconds",
      "Time from start to end of attempts.",
      total.run,
    ),
  ];
  return [...families, ...histograms].join("");
}

function counters(total: Bucket): Family[] {
  const counter = (name: string, help: string, values: Value[]): Family => ({
    name: `fondation_${name}_total`,
    help,
    type: "counter",
    values,
  });
  return [
    counter("jobs_submitted", "Jobs put into the queue.", [{ value: total.submitted }]),
    counter("jobs_assigned", "Assignments made by the dispatcher.", [{ value: total.assigned }]),
    counter("jobs_ended", "Jobs that reached a terminal state.", byLabel("state", total.jobs)),
    counter("attempts_ended", "Ended attempts by outcome.", byLabel("outcome", total.attempts)),
    counter(
      "attempts_ended_by_reason",
      "Ended attempts that did not succeed, by reason.",
      total.reasons.map(({ reason, count }) => ({ labels: { reason }, value: count })),
    ),
    counter("attempts_retried", "Ended attempts after which the job went on.", [
      { value: total.retries },
    ]),
    counter("tokens", "Tokens of the model by kind.", byLabel("kind", total.tokens)),
    counter("cost_usd", "Cost as the CLI reported it.", [{ value: dollars(total.micros) }]),
    counter("model_cost_usd", "Cost by model.", byModel(total.models)),
  ];
}

function gaugesOf({ states, sample, rolledAt }: Exposed): Family[] {
  const gauge = (name: string, help: string, values: Value[]): Family => ({
    name: `fondation_${name}`,
    help,
    type: "gauge",
    values,
  });
  return [
    gauge("jobs", "Jobs in each state that is not terminal.", byLabel("state", states)),
    ...(sample === null
      ? []
      : [
          gauge("oldest_pending_seconds", "Age of the job pending longest.", [
            { value: sample.oldestMs / SECOND_MS },
          ]),
          gauge("executors_online", "Executors with a lease.", [{ value: sample.executors }]),
          gauge("slots", "Slots of online executors.", [{ value: sample.slots }]),
          gauge("slots_used", "Attempts under way.", [{ value: sample.held }]),
        ]),
    ...(rolledAt === null
      ? []
      : [
          gauge("rolled_up_timestamp_seconds", "When these figures were made.", [
            { value: rolledAt / SECOND_MS },
          ]),
        ]),
  ];
}

function byLabel(label: string, counts: Record<string, number>): Value[] {
  return Object.entries(counts).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function byModel({ top, other }: Ranking): Value[] {
  const named = top.map(({ key, micros }) => ({ labels: { model: key }, value: dollars(micros) }));
  return [...named, { labels: { model: "other" }, value: dollars(other.micros) }];
}

function familyText({ name, help, type, values }: Family): string {
  return header(name, help, type) + values.map((value) => line(name, value)).join("");
}

function histogramText(name: string, help: string, { counts, sumMs }: Histogram): string {
  let below = 0;
  const buckets = counts.map((count, i) => {
    below += count;
    const boundary = BOUNDARIES_MS[i];
    const le = boundary === undefined ? "+Inf" : String(boundary / SECOND_MS);
    return line(`${name}_bucket`, { labels: { le }, value: below });
  });
  const sum = line(`${name}_sum`, { value: sumMs / SECOND_MS });
  return (
    header(name, help, "histogram") +
    buckets.join("") +
    sum +
    line(`${name}_count`, { value: below })
  );
}

function header(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function line(name: string, { labels = {}, value }: Value): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

/** Model names come from executors: they must not end a label or a line. */
function escapeLabel(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
