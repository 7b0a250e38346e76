import { Fragment, type ReactNode } from "react";
import type { Spend } from "../../../convex/protocol/metrics.js";
import {
  formatActor,
  formatRepositoryKey,
  formatCompact,
  formatCount,
  formatMoney,
} from "../../lib/format.js";
import { Panel } from "../../ui/Page.js";
import { Table, Td, Th } from "../../ui/Table.js";

const GROUPS = [
  ["repositories", "Repository"],
  ["users", "Submitted by"],
  ["models", "Model"],
] as const;

/** On what the range's money and tokens went. */
export function Spending({ spend }: { spend: Spend }): ReactNode {
  const { tokens } = spend;
  return (
    <Panel title="Spend by repository, user and model" className="min-w-0">
      {spend.models.top.length === 0 ? (
        <p className="m-0 text-muted">Nothing was spent in this range.</p>
      ) : (
        <>
          <Table name="Spend by repository, user and model">
            <thead>
              <tr>
                <Th>On</Th>
                <Th end>Spend</Th>
                <Th end>Tokens</Th>
                <Th end>Attempts</Th>
              </tr>
            </thead>
            <tbody>
              {GROUPS.map(([group, title]) => (
                <Group key={group} title={title} list={spend[group]} />
              ))}
            </tbody>
          </Table>
          <p className="m-0 mt-3 text-[13px] text-muted">
            Tokens: {formatCompact(tokens.input)} read, {formatCompact(tokens.cacheRead)} read from
            the cache, {formatCompact(tokens.cacheCreation)} put into it,{" "}
            {formatCompact(tokens.output)} written.
          </p>
        </>
      )}
    </Panel>
  );
}

function Group({ title, list }: { title: string; list: Spend["users"] }): ReactNode {
  const rows = [
    ...list.top.map(({ key, ...row }) => ({ name: nameOf(key), ...row })),
    ...(list.other.attempts === 0 ? [] : [{ name: "all others", ...list.other }]),
  ];
  return (
    <Fragment>
      <tr>
        <th
          scope="rowgroup"
          colSpan={4}
          className="h-8 border-b border-line px-3 text-[12px] font-medium text-muted"
        >
          {title}
        </th>
      </tr>
      {rows.map(({ name, costUsd, tokens, attempts }) => (
        <tr key={name}>
          <Td className="pl-6 break-all">{name}</Td>
          <Td end>{formatMoney(costUsd)}</Td>
          <Td end>{formatCompact(tokens)}</Td>
          <Td end>{formatCount(attempts)}</Td>
        </tr>
      ))}
    </Fragment>
  );
}

const nameOf = (key: string): string =>
  key === "" ? "not known" : formatRepositoryKey(formatActor(key));
