/** One way to break convex/domain. */
export type Mutant = {
  number: number;
  file: string;
  line: number;
  /** A cell of the table of transitions. */
  isCell: boolean;
  was: string;
  is: string;
  /** Names it in survivors.json; stays the same when lines move. */
  key: string;
};
export type Result = Mutant & {
  /** The test that noticed; null when none did. */
  by: string | null;
};
export function mutate(options: {
  isWanted?: (mutant: Mutant) => boolean;
  workers?: number;
  onResult?: (result: Result) => void;
}): Promise<Result[]>;
