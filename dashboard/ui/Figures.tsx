import type { ReactNode } from "react";
import { formatBytes, formatCount, formatMoney } from "../lib/format.js";
import { Nothing } from "./Time.js";

type Maybe = number | null | undefined;

/** Dollars by list price. */
export function Money({ usd }: { usd: Maybe }): ReactNode {
  if (usd === null || usd === undefined) return <Nothing />;
  return <span className="whitespace-nowrap tabular-nums">{formatMoney(usd)}</span>;
}

/** A size; the exact number of bytes on hover. */
export function Bytes({ bytes }: { bytes: Maybe }): ReactNode {
  if (bytes === null || bytes === undefined) return <Nothing />;
  return (
    <span className="whitespace-nowrap tabular-nums" title={`${formatCount(bytes)} bytes`}>
      {formatBytes(bytes)}
    </span>
  );
}
