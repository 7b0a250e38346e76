import { describe, expect, it } from "vitest";
import { expositionText, type Metrics } from "../../../executor/exposition.js";

const metrics: Metrics = {
  ...{ running: 1, slots: 4, started: 7, succeeded: 3, failed: 2, canceled: 1 },
  ...{ interrupted: 0, stopped: 0, asked: 0, unreported: 0, connected: 1, sinceHeartbeatMs: 1_500 },
  ...{ uptimeMs: 60_000, residentBytes: 50_000_000 },
};

describe("the executor's numbers → Prometheus text", () => {
  const text = expositionText(metrics, 2);

  it("every sample has its HELP and TYPE before it, and every line is one of the three", () => {
    const known = new Set<string>();
    for (const line of text.trimEnd().split("\n")) {
      const declared = /^# (?:HELP|TYPE) (fondation_executor_[a-z_]+) \S/.exec(line)?.[1];
      if (declared !== undefined) known.add(declared);
      else {
        const sample = /^(fondation_executor_[a-z_]+)(?:\{[a-z]+="[a-z]+"\})? -?\d/.exec(line)?.[1];
        expect(known, line).toContain(sample);
      }
    }
    expect(known.size).toBe(9);
  });

  it("times are seconds, endings are labelled, problems are counted", () => {
    expect(text).toContain("\nfondation_executor_heartbeat_age_seconds 1.5\n");
    expect(text).toContain('\nfondation_executor_attempts_ended_total{outcome="failed"} 2\n');
    expect(text).toContain("\nfondation_executor_problems 2\n");
    expect(text.endsWith("\n")).toBe(true);
  });

  it("before the first heartbeat there is no age of one", () => {
    expect(expositionText({ ...metrics, sinceHeartbeatMs: -1 }, 0)).not.toContain("heartbeat_age");
  });
});
