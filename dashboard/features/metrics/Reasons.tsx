import type { ReactNode } from "react";
import type { Figures } from "../../../convex/protocol/metrics.js";
import { formatCount, formatShare, formatWord } from "../../lib/format.js";
import { Panel } from "../../ui/Page.js";
import { Table, Td, Th } from "../../ui/Table.js";

const ENDS = [
  ["succeeded", "succeeded"],
  ["failed", "failed"],
  ["canceled", "canceled"],
  ["interrupted", "interrupted, and run again"],
  ["expired", "reclaimed from a lost executor"],
] as const;

/** How attempts ended, and for which reasons. */
export function Reasons({ figures }: { figures: Figures }): ReactNode {
  const { attempts, reasons } = figures;
  const all = ENDS.reduce((sum, [end]) => sum + attempts[end], 0);
  const rows: readonly (readonly [string, number])[] = [
    ...ENDS.map(([end, title]) => [title, attempts[end]] as const),
    ...[...reasons]
      .sort((a, b) => b.count - a.count)
      .map(({ reason, count }) => [`of which: ${formatWord(reason)}`, count] as const),
  ];
  return (
    <Panel title="How attempts ended" className="min-w-0">
      {all === 0 ? (
        <p className="m-0 text-muted">No attempt ended in this range.</p>
      ) : (
        <Table name="How attempts ended">
          <thead>
            <tr>
              <Th>Outcome</Th>
              <Th end>Attempts</Th>
              <Th end>Share</Th>
            </tr>
          </thead>
          <tbody>
            {rows
              .filter(([, count]) => count > 0)
              .map(([title, count]) => (
                <tr key={title}>
                  <Td className={title.startsWith("of which") ? "pl-6 text-muted" : ""}>{title}</Td>
                  <Td end>{formatCount(count)}</Td>
                  <Td end>{formatShare(count / all)}</Td>
                </tr>
              ))}
          </tbody>
        </Table>
      )}
    </Panel>
  );
}
