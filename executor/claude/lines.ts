import { StringDecoder } from "node:string_decoder";

/** Cuts a byte stream into lines; a line longer than `charsMax` is dropped whole and counted. */
export interface LineSplitter {
  push(piece: Buffer): void;
  /** Hands over an unfinished last line. */
  end(): void;
  readonly dropped: number;
}

export function createLineSplitter(charsMax: number, onLine: (line: string) => void): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let parts: string[] = [];
  let length = 0;
  let dropped = 0;
  const add = (part: string): void => {
    length += part.length;
    if (length <= charsMax) parts.push(part);
    else parts = [];
  };
  const close = (): void => {
    if (length > charsMax) dropped += 1;
    else if (length > 0) onLine(parts.join(""));
    parts = [];
    length = 0;
  };
  return {
    push: (piece) => {
      const [first = "", ...rest] = decoder.write(piece).split("\n");
      add(first);
      for (const part of rest) {
        close();
        add(part);
      }
    },
    end: () => {
      add(decoder.end());
      close();
    },
    get dropped() {
      return dropped;
    },
  };
}
