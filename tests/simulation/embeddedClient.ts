/**
 * A client of the sync protocol that knows no more than what the server told it, and checks that:
 * versions join, answers come in order, and what was shown once never goes away.
 */
import { decodeTimestamp, encodeTimestamp } from "../../embedded/sync/protocol.js";
import type { Random } from "../embedded/fireRandom.js";

export const LATER = ["nothing", "mutation", "mutation", "action"] as const;
export type Put = { key: string; client: string; round: number; later: (typeof LATER)[number] };

type Wire = Record<string, unknown> & { type: string };
type Request = { put: Put; requestId: number; isSent: boolean };
type Shown = { rows: { key: string; client: string }[]; coins: number } & Record<string, unknown>;
const QUERY_ID = 0;
/** Mutations sent and not answered. */
const PIPELINED_MAX = 3;
const ZERO = encodeTimestamp(0n);

export class SimulatedClient {
  readonly name: string;
  /** What it sent and got no answer for comes first; empty when all is done. */
  readonly requests: Request[];
  readonly acknowledged = new Map<string, bigint>();
  readonly faults: string[] = [];
  readonly outbox: string[] = [];
  readonly #sessionId: string;
  #connections = 0;
  #version = { querySet: 0, identity: 0, ts: ZERO };
  #seenTs = 0n;
  #shown: Shown | null = null;
  readonly #everShown = new Set<string>();

  constructor(name: string, puts: Put[], random: Random) {
    this.name = name;
    this.requests = puts.map((put, requestId) => ({ put, requestId, isSent: false }));
    const digits = Array.from({ length: 12 }, () => random.int(10)).join("");
    this.#sessionId = `00000000-0000-4000-8000-${digits}`;
  }

  /** Everything is acknowledged, and shown. */
  get isDone(): boolean {
    return (
      this.requests.length === 0 &&
      [...this.acknowledged.keys()].every((key) => this.#everShown.has(key))
    );
  }

  get maySend(): boolean {
    const unsent = this.requests.findIndex(({ isSent }) => !isSent);
    return unsent !== -1 && unsent < PIPELINED_MAX;
  }

  /** A new socket: says who it is, asks its query again, sends again what was never answered. */
  connect(): void {
    this.outbox.length = 0;
    this.#version = { querySet: 0, identity: 0, ts: ZERO };
    this.#say({
      type: "Connect",
      sessionId: this.#sessionId,
      connectionCount: this.#connections++,
      lastCloseReason: null,
      ...(this.#seenTs === 0n ? {} : { maxObservedTimestamp: encodeTimestamp(this.#seenTs) }),
    });
    const add = { type: "Add", queryId: QUERY_ID, udfPath: "fire:audit", args: [{ round: 0 }] };
    this.#say({ type: "ModifyQuerySet", baseVersion: 0, newVersion: 1, modifications: [add] });
    for (const request of this.requests) if (request.isSent) this.#send(request);
  }

  sendNext(): void {
    const request = this.requests.find(({ isSent }) => !isSent);
    if (request === undefined) return;
    request.isSent = true;
    this.#send(request);
  }

  receive(text: string): void {
    // The server's words are checked below, field by field, where they are used.
    const message = JSON.parse(text) as Wire;
    switch (message.type) {
      case "MutationResponse":
        this.#answered(message);
        return;
      case "Transition":
        this.#transition(message);
        return;
      default:
        this.faults.push(`${this.name} was told: ${text.slice(0, 300)}`);
    }
  }

  #answered({ requestId, success, ts, result }: Wire): void {
    const request = this.requests[0];
    if (request === undefined || request.requestId !== requestId) {
      this.faults.push(`${this.name}: answer to ${String(requestId)} out of order`);
      return;
    }
    if (success !== true) {
      // Lost to conflicts to the end: nothing was written, and it is tried as a new request would be.
      if (!String(result).includes("changed while this mutation")) {
        this.faults.push(`${this.name}: ${String(result)}`);
      }
      this.requests.shift();
      const last = this.requests.at(-1)?.requestId ?? request.requestId;
      const again = { ...request, requestId: Math.max(last, request.requestId) + 1, isSent: false };
      this.requests.push(again);
      return;
    }
    this.requests.shift();
    this.acknowledged.set(request.put.key, decodeTimestamp(String(ts)));
  }

  #transition(message: Wire): void {
    // The form of a Transition, which the versions compared here belong to.
    const { startVersion, endVersion, modifications } = message as unknown as {
      startVersion: { querySet: number; identity: number; ts: string };
      endVersion: { querySet: number; identity: number; ts: string };
      modifications: { type: string; value?: Shown }[];
    };
    if (JSON.stringify(startVersion) !== JSON.stringify(this.#version)) {
      this.faults.push(`${this.name}: a Transition does not start where the last one ended`);
    }
    this.#version = endVersion;
    const ts = decodeTimestamp(endVersion.ts);
    if (ts < this.#seenTs) this.faults.push(`${this.name}: time went back to ${ts}`);
    this.#seenTs = ts;
    for (const { type, value } of modifications) {
      if (type === "QueryUpdated" && value !== undefined) this.#shown = value;
      else this.faults.push(`${this.name}: ${type}`);
    }
    this.#check(ts);
  }

  #check(ts: bigint): void {
    if (this.#shown === null) return;
    const keys = new Set(this.#shown.rows.map(({ key }) => key));
    for (const key of this.#everShown) {
      if (!keys.has(key)) this.faults.push(`${this.name} saw ${key}, which is gone`);
    }
    for (const [key, committed] of this.acknowledged) {
      if (committed <= ts && !keys.has(key)) {
        this.faults.push(`${this.name} was promised ${key} and is not shown it`);
      }
    }
    if (this.#shown.coins !== 0) this.faults.push(`${this.name} saw a torn transfer`);
    for (const key of keys) this.#everShown.add(key);
  }

  #send({ put, requestId }: Request): void {
    this.#say({ type: "Mutation", requestId, udfPath: "fire:put", args: [put] });
  }

  #say(message: Wire): void {
    this.outbox.push(JSON.stringify(message));
  }
}
