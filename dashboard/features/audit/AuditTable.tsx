import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { AuditView } from "../../../convex/protocol/identity.js";
import { formatActor } from "../../lib/format.js";
import { Table, Td, Th } from "../../ui/Table.js";
import { Nothing, Time } from "../../ui/Time.js";

/** Lines of the audit; who and what lead to all lines of the same. */
export function AuditTable({ lines }: { lines: readonly AuditView[] }): ReactNode {
  return (
    <Table name="Audit">
      <thead>
        <tr>
          <Th>When</Th>
          <Th>Who</Th>
          <Th>Action</Th>
          <Th>On</Th>
          <Th>Detail</Th>
          <Th>From</Th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line, at) => (
          // Two lines may say the same; none ever moves within a page.
          <Row key={`${line.at} ${at}`} line={line} />
        ))}
      </tbody>
    </Table>
  );
}

const LINK = "inline-flex min-h-6 items-center text-text no-underline hover:underline";

function Row({ line }: { line: AuditView }): ReactNode {
  const { at, actor, action, target, detail, ip } = line;
  return (
    <tr className="hover:bg-raised">
      <Td>
        <Time at={at} />
      </Td>
      <Td className="whitespace-nowrap">
        <Link to="/audit" search={{ actor }} className={LINK}>
          {formatActor(actor)}
        </Link>
      </Td>
      <Td>
        <Link to="/audit" search={{ action }} className={`${LINK} font-mono text-[13px]`}>
          {action}
        </Link>
      </Td>
      <Td className="max-w-72 truncate whitespace-nowrap" title={target}>
        {target === undefined ? (
          <Nothing />
        ) : (
          <Link to="/audit" search={{ target }} className={LINK}>
            {target}
          </Link>
        )}
      </Td>
      <Td className="min-w-48 text-[13px] break-words text-muted">{detail ?? <Nothing />}</Td>
      <Td className="font-mono text-[13px] whitespace-nowrap text-muted">{ip ?? <Nothing />}</Td>
    </tr>
  );
}
