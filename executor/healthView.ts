import type { Backend } from "./backend.js";
import type { LoginState } from "./claude/credentials.js";
import type { DiskGuard } from "./disk.js";
import type { HealthView } from "./health.js";
import type { Lease } from "./lease.js";
import type { Supervisor } from "./supervisor.js";

/** What the executor knows of itself beside what its parts tell. */
export type HealthState = {
  login: LoginState;
  hasCli: boolean;
  hasAuthFailed: boolean;
  isDraining: boolean;
  /** From the registration on. */
  lease: Lease | undefined;
};

export function viewHealth(
  { backend, supervisor, disk }: { backend: Backend; supervisor: Supervisor; disk: DiskGuard },
  state: HealthState,
): HealthView {
  const { lease, login } = state;
  const isConnected = backend.isConnected();
  const checks: [boolean, string][] = [
    [!isConnected, "not connected to the deployment"],
    [lease === undefined, "not registered yet"],
    [lease?.isTrusted() === false, "no heartbeat was acknowledged in time"],
    [state.isDraining, "draining: takes no new work"],
    [disk.isLow(), "the disk of TEMP_DIR has less free than DISK_FREE_MB_MIN: takes no new work"],
    [!state.hasCli, "no claude binary; set CLAUDE_BIN or install it"],
    [login.kind === "none", "no login for the CLI"],
    [login.kind === "readOnlyFile", "the CLI's login file is read-only: it could not be renewed"],
    [state.hasAuthFailed, "the API refused the CLI's login in the last attempt"],
  ];
  return {
    problems: checks.filter(([isWrong]) => isWrong).map(([, words]) => words),
    metrics: {
      ...supervisor.counts(),
      connected: Number(isConnected),
      sinceHeartbeatMs: Math.round(lease?.sinceAcknowledgedMs() ?? -1),
      uptimeMs: Math.round(process.uptime() * 1000),
      residentBytes: process.memoryUsage.rss(),
    },
  };
}
