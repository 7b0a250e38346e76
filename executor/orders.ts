import type { HeldAttempt } from "../convex/protocol/executor.js";
import type { SteeringOrder } from "../convex/protocol/steering.js";
import type { Backend } from "./backend.js";
import type { Steering } from "./claude/conversation.js";

/** Carries what people tell an attempt to its run, and the run's word on it back. */
export interface Orders {
  /** So many commands were given to the job by now. */
  told: (count: number) => void;
  /** The run can be steered. */
  attach: (steering: Steering) => void;
  /** The run took up what a person said. */
  onTaken: (messageId: string) => void;
  /** The run is over: what it did not take up is the deployment's to tell. */
  stop: () => void;
}

type OrdersOptions = {
  held: HeldAttempt;
  backend: Pick<Backend, "takeOrders" | "acknowledgeOrder">;
  /** Writes a line into the job's log. */
  mark: (text: string) => void;
  heed: (error: unknown, event: string) => void;
};

/** Characters of what a person said that the log shows. */
const SHOWN_CHARS_MAX = 500;

export function carryOrders(options: OrdersOptions): Orders {
  return new Carrier(options);
}

class Carrier implements Orders {
  readonly #options: OrdersOptions;
  #steering: Steering | undefined;
  #told = 0;
  #fetched = 0;
  #isBusy = false;
  readonly #known = new Set<string>();
  /** Said to the run, by the id that the CLI will name. */
  readonly #said = new Map<string, SteeringOrder>();

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  readonly told = (count: number): void => {
    this.#told = Math.max(this.#told, count);
    this.#begin();
  };

  readonly attach = (run: Steering): void => {
    this.#steering = run;
    // What another run of this attempt did not take up before it ended is this one's to hear.
    this.#fetched = 0;
    for (const { steeringId } of this.#said.values()) this.#known.delete(steeringId);
    this.#said.clear();
    this.#begin();
  };

  readonly onTaken = (messageId: string): void => {
    const order = this.#said.get(messageId);
    if (order === undefined) return;
    this.#said.delete(messageId);
    this.#options.mark("took up what a person said");
    this.#acknowledge(order);
  };

  readonly stop = (): void => {
    this.#steering = undefined;
  };

  #begin(): void {
    const run = this.#steering;
    if (this.#isBusy || run === undefined || this.#fetched >= this.#told) return;
    this.#isBusy = true;
    this.#fetch(run)
      .catch((error: unknown) => {
        this.#options.heed(error, "ordersNotTaken");
      })
      .finally(() => {
        this.#isBusy = false;
        if (this.#steering !== run) this.#begin();
      });
  }

  async #fetch(run: Steering): Promise<void> {
    const { backend, held } = this.#options;
    while (this.#fetched < this.#told && this.#steering === run) {
      const count = this.#told;
      const orders = await backend.takeOrders(held);
      // They are for the run that is there now, which asks for itself.
      if (this.#steering !== run) return;
      for (const order of orders) {
        if (this.#known.has(order.steeringId)) continue;
        this.#known.add(order.steeringId);
        this.#carryOut(order, run);
      }
      this.#fetched = count;
    }
  }

  #carryOut(order: SteeringOrder, run: Steering): void {
    const { mark } = this.#options;
    const { kind, text, messageId } = order;
    const message = text === undefined ? undefined : { id: messageId, text };
    // A run that takes nothing more leaves it to the next one, or to nobody: the deployment knows.
    if (kind === "message") {
      if (message === undefined || !run.say(message)) return;
      mark(`a person says: ${message.text.slice(0, SHOWN_CHARS_MAX)}`);
      this.#said.set(messageId, order);
      return;
    }
    const isTaken = kind === "interrupt" ? run.interrupt(message) : run.stopAfterTurn();
    if (!isTaken) return;
    mark(kind === "interrupt" ? "interrupted by a person" : "to be stopped after this turn");
    if (message === undefined) this.#acknowledge(order);
    else this.#said.set(messageId, order);
  }

  #acknowledge({ steeringId }: SteeringOrder): void {
    const { backend, held, heed } = this.#options;
    backend.acknowledgeOrder(held, { steeringId }).catch((error: unknown) => {
      heed(error, "orderNotAcknowledged");
    });
  }
}
