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

export function carryOrders({ held, backend, mark, heed }: OrdersOptions): Orders {
  let steering: Steering | undefined;
  let told = 0;
  let fetched = 0;
  let isBusy = false;
  const known = new Set<string>();
  /** Said to the run, by the id that the CLI will name. */
  const said = new Map<string, SteeringOrder>();

  const acknowledge = ({ steeringId }: SteeringOrder): void => {
    backend.acknowledgeOrder(held, { steeringId }).catch((error: unknown) => {
      heed(error, "orderNotAcknowledged");
    });
  };
  const carryOut = (order: SteeringOrder, run: Steering): void => {
    const { kind, text, messageId } = order;
    const message = text === undefined ? undefined : { id: messageId, text };
    // A run that takes nothing more leaves it to the next one, or to nobody: the deployment knows.
    if (kind === "message") {
      if (message === undefined || !run.say(message)) return;
      mark(`a person says: ${message.text.slice(0, SHOWN_CHARS_MAX)}`);
      said.set(messageId, order);
      return;
    }
    const isTaken = kind === "interrupt" ? run.interrupt(message) : run.stopAfterTurn();
    if (!isTaken) return;
    mark(kind === "interrupt" ? "interrupted by a person" : "to be stopped after this turn");
    if (message === undefined) acknowledge(order);
    else said.set(messageId, order);
  };
  const fetch = async (run: Steering): Promise<void> => {
    while (fetched < told && steering === run) {
      const count = told;
      const orders = await backend.takeOrders(held);
      // They are for the run that is there now, which asks for itself.
      if (steering !== run) return;
      for (const order of orders) {
        if (known.has(order.steeringId)) continue;
        known.add(order.steeringId);
        carryOut(order, run);
      }
      fetched = count;
    }
  };
  const begin = (): void => {
    if (isBusy || steering === undefined || fetched >= told) return;
    isBusy = true;
    const run = steering;
    fetch(run)
      .catch((error: unknown) => {
        heed(error, "ordersNotTaken");
      })
      .finally(() => {
        isBusy = false;
        if (steering !== run) begin();
      });
  };
  return {
    told: (count) => {
      told = Math.max(told, count);
      begin();
    },
    attach: (run) => {
      steering = run;
      // What another run of this attempt did not take up before it ended is this one's to hear.
      fetched = 0;
      for (const { steeringId } of said.values()) known.delete(steeringId);
      said.clear();
      begin();
    },
    onTaken: (messageId) => {
      const order = said.get(messageId);
      if (order === undefined) return;
      said.delete(messageId);
      mark("took up what a person said");
      acknowledge(order);
    },
    stop: () => {
      steering = undefined;
    },
  };
}
