import { randomUUID } from "node:crypto";
import type { Cancel, Clock } from "../clock.js";
import {
  afterLine,
  type ControlLine,
  initializeLine,
  interruptLine,
  isEvent,
  type Message,
  messageLine,
  parseControl,
  permissionLine,
  probeLine,
  type ToolCall,
  type Verdict,
  usageLine,
  verdictLine,
} from "./control.js";
import type { CliUsage } from "./usage.js";

/** What people may do to a run under way. */
export interface Steering {
  /** Says something to it; false: it is ending and takes nothing more. */
  say(message: Message): boolean;
  /** Ends the running turn with its tools; without a message to go on with, the run ends there. */
  interrupt(message?: Message): boolean;
  /** Lets the calls of tools under way end, then ends the run before it asks the model again. */
  stopAfterTurn(): boolean;
  /** Asks what it has cost so far; the answer comes by `onUsage`. */
  askUsage(): void;
}

export type ConversationOptions = {
  clock: Clock;
  /** What the run begins with; undefined: it goes on by itself with the session it resumes. */
  opening: Message | undefined;
  /** A CLI that says nothing and answers no question for this long is stalled. */
  answerMs: number;
  /** Says what becomes of each call of a tool; undefined: the CLI does not ask. */
  judge: ((call: ToolCall) => Verdict) | undefined;
  /** The run took up a message of a person. */
  onTaken: (messageId: string) => void;
  onUsage: (usage: CliUsage) => void;
};

/** The CLI's process, as far as the conversation needs it. */
export type Link = {
  write: (line: string) => void;
  /** No more input: the CLI ends after what it has. */
  close: () => void;
  /** It does not answer, or does not end after its last result: it has to be ended. */
  onStuck: (why: Stuck) => void;
};
export type Stuck = "stalled" | "lingering";

/** A tick without a sign of life is a miss; so many in a row, and the CLI is stalled. */
const MISSES_MAX = 4;
/** After the last result: background tools are ended by the CLI about 5 s later. */
const EXIT_MS_MAX = 20_000;
/** Between a result and the CLI's taking up what a person said meanwhile. */
const TAKE_MS_MAX = 20_000;
/** Between the CLI's being up and the turn that it goes on with by itself. */
const TURN_MS_MAX = 30_000;
const READ_FIRST =
  "Not made: a person has just said something. Read it, then make this call again if it is still right.";
const ONE_AT_A_TIME =
  "Not made: another call waits for a person's answer. Make this one again after that.";

/**
 * One run's conversation over stdin and stdout: says the opening, answers hooks, probes whether the CLI
 * lives, and closes stdin when a turn ends with nothing more said to it. Time is counted in ticks of
 * which each had its chance to be answered: a machine that slept stalls nobody.
 */
export class Conversation implements Steering {
  readonly #options: ConversationOptions;
  readonly #link: Link;
  /** Said to the run, and not yet taken up. */
  readonly #said = new Set<string>();
  #isClosed = false;
  #isStopAsked = false;
  #isTurnOver = false;
  #hasTurn = false;
  /** The call that waits for a person: the run ends with it, and takes nothing more. */
  #deferred: string | undefined;
  #misses = 0;
  #probes = 0;
  #questions = 0;
  #cancelTick: Cancel = () => undefined;
  #cancelWait: Cancel = () => undefined;

  constructor(options: ConversationOptions, link: Link) {
    this.#options = options;
    this.#link = link;
    const { opening, judge } = options;
    link.write(initializeLine("initialize", { asks: judge !== undefined }));
    if (opening !== undefined) this.#say(opening);
    this.#tick();
  }

  /** A person asked the run to end early. */
  get isStopAsked(): boolean {
    return this.#isStopAsked;
  }

  say(message: Message): boolean {
    if (!this.#isTaking()) return false;
    this.#say(message);
    return true;
  }

  interrupt(message?: Message): boolean {
    if (!this.#isTaking()) return false;
    this.#link.write(interruptLine(randomUUID()));
    if (message === undefined) this.#isStopAsked = true;
    else this.#say(message);
    return true;
  }

  stopAfterTurn(): boolean {
    if (!this.#isTaking()) return false;
    this.#isStopAsked = true;
    return true;
  }

  askUsage(): void {
    this.#questions += 1;
    if (!this.#isClosed) this.#link.write(usageLine(`usage-${this.#questions}`));
  }

  /** First step of the stop ladder: ends the turn and its tools, and with them the CLI. */
  leave(): void {
    if (this.#isClosed) return;
    this.#said.clear();
    this.#link.write(interruptLine(randomUUID()));
    this.#isStopAsked = true;
    if (this.#isTurnOver) this.#close();
  }

  /** Takes a line of stdout; true: it was of the protocol alone, and no event. */
  onLine(text: string): boolean {
    this.#misses = 0;
    const control = parseControl(text);
    if (control === undefined) return false;
    this.#heed(control);
    return !isEvent(control);
  }

  /** The process is gone. */
  end(): void {
    this.#isClosed = true;
    this.#cancelTick();
    this.#cancelWait();
  }

  #isTaking(): boolean {
    return !this.#isClosed && !this.#isStopAsked && this.#deferred === undefined;
  }

  #heed(control: ControlLine): void {
    const { write } = this.#link;
    switch (control.type) {
      case "answer":
        if (control.requestId === "initialize") this.#awaitTurn();
        if (control.usage !== undefined) this.#options.onUsage(control.usage);
        return;
      case "turn":
        this.#begin();
        return;
      case "hook":
        this.#begin();
        if (control.event === "before") {
          write(verdictLine(control.requestId, this.#judge(control.call)));
        } else write(afterLine(control.requestId, this.#isStopAsked));
        return;
      case "mayUse":
        this.#begin();
        write(permissionLine(control.requestId, control.call, this.#judge(control.call)));
        return;
      case "taken":
        this.#begin();
        if (this.#said.delete(control.id)) this.#options.onTaken(control.id);
        return;
      case "result":
        this.#over();
        return;
      case "other":
        return;
    }
  }

  #judge(call: ToolCall): Verdict {
    const verdict = this.#options.judge?.(call) ?? { kind: "allow" };
    if (verdict.kind !== "defer") return verdict;
    if (this.#said.size > 0) return { kind: "refuse", message: READ_FIRST };
    if (this.#deferred !== undefined) return { kind: "refuse", message: ONE_AT_A_TIME };
    this.#deferred = call.id;
    return verdict;
  }

  #say(message: Message): void {
    this.#said.add(message.id);
    this.#link.write(messageLine(message));
    if (this.#isTurnOver) this.#wait(TAKE_MS_MAX, this.#close);
  }

  #begin(): void {
    this.#hasTurn = true;
    this.#isTurnOver = false;
    if (!this.#isClosed) this.#cancelWait();
  }

  #over(): void {
    this.#hasTurn = true;
    this.#isTurnOver = true;
    if (this.#said.size === 0 || this.#isStopAsked) this.#close();
    else this.#wait(TAKE_MS_MAX, this.#close);
  }

  /** Who resumes a session that has nothing to go on with waits for a message for ever. */
  #awaitTurn(): void {
    if (!this.#hasTurn && !this.#isClosed) this.#wait(TURN_MS_MAX, this.#close);
  }

  readonly #close = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#link.close();
    this.#wait(EXIT_MS_MAX, () => {
      this.#link.onStuck("lingering");
    });
  };

  #wait(ms: number, then: () => void): void {
    this.#cancelWait();
    this.#cancelWait = this.#options.clock.after(ms, then);
  }

  #tick(): void {
    const { clock, answerMs } = this.#options;
    this.#cancelTick = clock.after(answerMs / MISSES_MAX, () => {
      this.#misses += 1;
      if (this.#isClosed) return;
      if (this.#misses >= MISSES_MAX) {
        this.#link.onStuck("stalled");
        return;
      }
      this.#probes += 1;
      this.#link.write(probeLine(`probe-${this.#probes}`));
      this.#tick();
    });
  }
}
