/** A socket in memory between a simulated client and a session; who is served next the seed says. */
import type { Authenticator } from "../../embedded/auth/identity.js";
import type { Backend } from "../../embedded/functions/backend.js";
import type { Crons } from "../../embedded/scheduler/crons.js";
import type { ScheduledFunctions } from "../../embedded/scheduler/scheduled.js";
import { StoreFailure } from "../../embedded/store/store.js";
import { encodeFrames } from "../../embedded/sync/protocol.js";
import { Session } from "../../embedded/sync/session.js";
import type { Random } from "../embedded/fireRandom.js";
import type { SimulatedClient } from "./embeddedClient.js";
import type { VirtualClock } from "./embeddedClock.js";

/** One process of the simulation. */
export type Life = {
  backend: Backend;
  clock: VirtualClock;
  scheduled: ScheduledFunctions;
  crons: Crons;
  state: { isDead: boolean };
};
type Ends = { client: SimulatedClient; life: Life; random: Random; trace: string[] };

const NOBODY: Authenticator = {
  admin: () => ({ kind: "none" }),
  user: () => Promise.resolve({ kind: "none" }),
  fromHeader: () => Promise.resolve({ identity: { kind: "none" }, token: null }),
};

export class SimulatedSocket {
  readonly #ends: Ends;
  /** Sent by the server, not yet seen by the client. */
  #inbox: string[] = [];
  #session: Session;

  constructor(ends: Ends) {
    this.#ends = ends;
    this.#session = this.#open();
  }

  /** One thing happens: the client says something new, or a frame arrives at one end. */
  move(): void {
    const { client, random, trace } = this.#ends;
    const moves = [
      ...(client.maySend ? ["send"] : []),
      ...(client.outbox.length > 0 ? ["up", "up"] : []),
      ...(this.#inbox.length > 0 ? ["down", "down"] : []),
    ];
    const move = moves[random.int(moves.length)];
    if (move === undefined) return;
    trace.push(`${client.name} ${move}`);
    if (move === "send") client.sendNext();
    else if (move === "up") this.#session.receive(client.outbox.shift() ?? "");
    else this.#deliver();
  }

  /** Both ends lose what was under way; the client comes back. */
  cut(): void {
    this.#ends.trace.push(`${this.#ends.client.name} cut`);
    this.#session.dispose();
    this.#session = this.#open();
  }

  /** The process is gone; what it had sent may still arrive. */
  end(): void {
    this.#session.dispose();
    const arriving = this.#ends.random.int(this.#inbox.length + 1);
    for (let frame = 0; frame < arriving; frame += 1) this.#deliver();
  }

  #deliver(): void {
    const frame = this.#inbox.shift();
    if (frame === undefined) return;
    this.#ends.trace.push(`${this.#ends.client.name} < ${frame}`);
    this.#ends.client.receive(frame);
  }

  #open(): Session {
    const { client, life } = this.#ends;
    const inbox: string[] = [];
    this.#inbox = inbox;
    client.connect();
    return new Session({
      engine: life.backend.engine,
      runner: life.backend.runner,
      authenticator: NOBODY,
      nowMs: () => life.clock.nowMs(),
      newRequest: () => ({ ip: null, userAgent: null, requestId: "0", authToken: null }),
      send: (message) => {
        if (!life.state.isDead) inbox.push(...encodeFrames(message));
        return Promise.resolve();
      },
      drained: () => Promise.resolve(),
      onWaiting: () => undefined,
      close: ({ reason }) => {
        if (!life.state.isDead) client.faults.push(`${client.name} was closed: ${reason}`);
      },
      onFault: (error) => {
        if (life.state.isDead && error instanceof StoreFailure) return;
        client.faults.push(`${client.name}'s session failed: ${String(error)}`);
      },
    });
  }
}
