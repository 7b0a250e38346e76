/** An executor's machine: processes follow each other on it, and sometimes live beside each other. */
import type { Id } from "../../convex/_generated/dataModel.js";
import { identityOf, type Stage } from "./queueStage.js";
import { Process } from "./queueProcess.js";

export type MachineSpec = {
  name: string;
  slots: number;
  leaseMs: number;
  labels: string[];
  /** How far its clock is from the backend's, ms. */
  offsetMs: number;
  /** How fast its clock runs, beside the backend's. */
  rate: number;
};

export class Machine {
  readonly spec: MachineSpec;
  readonly #stage: Stage;
  executorId: Id<"executors">;
  /** The latest process; earlier ones may still be about. */
  process: Process | null = null;
  #cutOffUntil = 0;
  #boots = 0;
  #isTold = false;

  private constructor(stage: Stage, spec: MachineSpec, executorId: Id<"executors">) {
    this.#stage = stage;
    this.spec = spec;
    this.executorId = executorId;
  }

  /** A machine whose executor has just enrolled. */
  static async enrol(stage: Stage, spec: MachineSpec): Promise<Machine> {
    return new Machine(stage, spec, await enrolled(stage, spec.name));
  }

  isCutOff(): boolean {
    return this.#stage.now() < this.#cutOffUntil;
  }

  /** A new process, whatever became of the one before. */
  boot(): void {
    this.#boots += 1;
    const { name } = this.spec;
    this.process = new Process(this.#stage, this, `${name}.${this.#boots}`);
    this.process.register();
  }

  /** What it held may have changed: its subscription hears of it, sooner or later. */
  onAssignments(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { random } = this.#stage;
    const isLate = !this.#stage.isHealing() && random.chance(0.05);
    const delayMs = isLate ? 1_000 + random.int(30_000) : 5 + random.int(300);
    this.#stage.later(delayMs, `${this.spec.name} hears`, () => {
      this.#isTold = false;
      if (this.isCutOff()) {
        this.onAssignments();
        return;
      }
      return this.process?.look();
    });
  }

  /** One thing that goes wrong with it. */
  suffer(): void {
    const { random } = this.#stage;
    const { leaseMs } = this.spec;
    const kind = random.pick(["crash", "crash", "freeze", "freeze", "cut", "shutdown", "clone"]);
    const { process } = this;
    this.#stage.trace.add(this.#stage.now(), `${this.spec.name} suffers: ${kind}`);
    switch (kind) {
      case "crash":
        process?.die();
        this.#bootSoon(random.int(90_000));
        return;
      case "freeze": {
        const ms = Math.round(leaseMs * (0.2 + random.int(300) / 100));
        process?.freeze(ms);
        if (random.chance(0.4)) this.#bootSoon(random.int(ms));
        return;
      }
      case "cut":
        this.#cutOffUntil = this.#stage.now() + random.int(3 * leaseMs);
        this.onAssignments();
        return;
      case "shutdown":
        process?.shutDown();
        this.#bootSoon(15_000 + random.int(60_000));
        return;
      default:
        // Its key is on two machines: both run on.
        this.#bootSoon(0);
    }
  }

  /** Repairs it: connected, awake, with a process. */
  async heal(isRevoked: boolean): Promise<void> {
    this.#cutOffUntil = 0;
    this.process?.thaw();
    if (isRevoked) {
      this.executorId = await enrolled(this.#stage, this.spec.name);
      this.boot();
    } else if (this.process === null || this.process.isDead) {
      this.boot();
    }
  }

  #bootSoon(delayMs: number): void {
    this.#stage.later(delayMs, `${this.spec.name} boots`, () => {
      this.boot();
    });
  }
}

async function enrolled(stage: Stage, name: string): Promise<Id<"executors">> {
  const executorId = await stage.insert("executors", {
    ...{ name, publicJwk: { kty: "OKP", crv: "Ed25519", x: "not asked for" } },
    ...{ revoked: false, epoch: 0, presence: "enrolled", presenceSince: stage.now() },
    ...{ unhealthy: null, draining: false, slots: 0, leaseMs: 0 },
    ...{ version: "", cliVersion: "", labels: [] },
  });
  stage.trace.name(name, executorId);
  // An insert hands out an id of its table.
  return executorId as Id<"executors">;
}

/** Who a process is to the backend. */
export const claimsOf = (executorId: Id<"executors">, boot: string, bootAt: number) =>
  identityOf("executor", { subject: executorId, epoch: 0, boot, bootAt });
