/** Turns bytes that arrive in pieces into lines of text, and into rows of CSV. */
import { transferLimits } from "./limits.js";

/** The uploaded file cannot be imported; the message is for the person who imports. */
export class ImportError extends Error {
  override readonly name = "ImportError";
}

/** Cuts UTF-8 text at line ends; empty lines are left out. */
export class LineCutter {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #rest = "";

  push(bytes: Uint8Array, isLast: boolean): string[] {
    const lines = (this.#rest + decode(this.#decoder, bytes, isLast)).split("\n");
    this.#rest = isLast ? "" : (lines.pop() ?? "");
    if (this.#rest.length > transferLimits.lineCharsMax) throw lineTooLong();
    return lines.map((line) => line.replace(/\r$/, "")).filter((line) => line !== "");
  }
}

const lineTooLong = () =>
  new ImportError(`A line is longer than ${transferLimits.lineCharsMax} characters.`);

function decode(
  decoder: InstanceType<typeof TextDecoder>,
  bytes: Uint8Array,
  isLast: boolean,
): string {
  try {
    return decoder.decode(bytes, { stream: !isLast });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ImportError("The file is not UTF-8 text.");
  }
}

/** Cuts CSV (RFC 4180: quoted cells may hold commas, line ends and doubled quotes) into rows. */
export class CsvCutter {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #row: CsvCell[] = [];
  #cell = "";
  #state: "start" | "plain" | "quoted" | "quoteSeen" = "start";
  #wasQuoted = false;

  push(bytes: Uint8Array, isLast: boolean): CsvCell[][] {
    const rows: CsvCell[][] = [];
    for (const letter of decode(this.#decoder, bytes, isLast)) this.#take(letter, rows);
    if (!isLast) return rows;
    if (this.#state === "quoted") throw new ImportError("The last quoted cell is not closed.");
    if (this.#row.length > 0 || this.#cell !== "" || this.#wasQuoted) this.#endRow(rows);
    return rows;
  }

  #take(letter: string, rows: CsvCell[][]): void {
    if (this.#state === "quoted") {
      if (letter === '"') this.#state = "quoteSeen";
      else this.#append(letter);
      return;
    }
    if (letter === '"' && this.#state !== "plain") {
      if (this.#state === "quoteSeen") this.#append('"');
      this.#state = "quoted";
      this.#wasQuoted = true;
    } else if (letter === ",") this.#endCell();
    else if (letter === "\n") this.#endRow(rows);
    else if (letter !== "\r") {
      this.#state = "plain";
      this.#append(letter);
    }
  }

  #append(letter: string): void {
    this.#cell += letter;
    if (this.#cell.length > transferLimits.lineCharsMax) throw lineTooLong();
  }

  #endCell(): void {
    this.#row.push({ text: this.#cell, isQuoted: this.#wasQuoted });
    this.#cell = "";
    this.#wasQuoted = false;
    this.#state = "start";
  }

  #endRow(rows: CsvCell[][]): void {
    this.#endCell();
    const isBlank = this.#row.length === 1 && this.#row[0]?.text === "";
    if (!isBlank) rows.push(this.#row);
    this.#row = [];
  }
}

export type CsvCell = { text: string; isQuoted: boolean };

/** Numbers become numbers, everything else stays text; a quoted number is text too. */
export function cellValue({ text, isQuoted }: CsvCell): number | string {
  if (isQuoted || text.trim() === "") return text;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}
