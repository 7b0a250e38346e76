import { useState, type ReactNode } from "react";
import {
  AGED_KINDS,
  type RetentionDays,
  type RowCounts,
} from "../../../convex/protocol/retention.js";
import { readError } from "../../lib/errors.js";
import { formatCount, formatWord, plural } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { TextField } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Time } from "../../ui/Time.js";
import { tellDone, tellFailed, tellOutcome } from "../../ui/toast.js";
import { useRetention, useRetentionActions } from "./retention.js";

const LABELS: Record<keyof RetentionDays, string> = {
  logs: "Logs of attempts",
  jobs: "Ended jobs",
  batches: "Batches",
  operations: "Bulk operations",
  minutes: "Metrics by the minute",
  hours: "Metrics by the hour",
  days: "Metrics by the day",
  audit: "Audit",
  alerts: "Resolved alerts",
  deliveries: "Messages to the webhook",
  executors: "Revoked executors",
};

/** After how many days each kind of data goes. */
export function RetentionTab(): ReactNode {
  const settings = useRetention();
  if (settings === undefined) return <Loading what="retention" />;
  const { days, last } = settings;
  return (
    <div className="flex flex-col gap-4">
      <Days key={JSON.stringify(days)} days={days} />
      <Panel title="The last run">
        {last === null ? (
          <p className="m-0 text-muted">There was none yet. One begins by itself every hour.</p>
        ) : (
          <>
            <p className="m-0 mb-2">
              Ended <Time at={last.endedAt} />.
            </p>
            <Rows rows={last.rows} none="Nothing was old enough." />
          </>
        )}
      </Panel>
    </div>
  );
}

function Days({ days }: { days: RetentionDays }): ReactNode {
  const { configure } = useRetentionActions();
  const [typed, setTyped] = useState(() =>
    Object.fromEntries(AGED_KINDS.map((kind) => [kind, String(days[kind])])),
  );
  const unable = useUnable("administrator");
  const asked = (): Partial<RetentionDays> =>
    Object.fromEntries(AGED_KINDS.map((kind) => [kind, Number(typed[kind])]));
  return (
    <Panel title="Days until it is deleted">
      <Form
        action="Save days"
        unable={unable}
        onSubmit={async () => {
          await configure(asked());
          tellDone("Retention saved");
        }}
      >
        <div className="grid grid-cols-2 gap-4 md:grid-cols-4">
          {AGED_KINDS.map((kind) => (
            <TextField
              key={kind}
              label={LABELS[kind]}
              inputMode="numeric"
              value={typed[kind] ?? ""}
              onChange={(event) => {
                setTyped({ ...typed, [kind]: event.target.value });
              }}
            />
          ))}
        </div>
      </Form>
      <ByHand asked={asked} />
    </Panel>
  );
}

type Counted = { rows: RowCounts; isComplete: boolean };

/** Counts what would go with the days that are typed, and deletes by those that are saved. */
function ByHand({ asked }: { asked: () => Partial<RetentionDays> }): ReactNode {
  const { count, prune } = useRetentionActions();
  const [counted, setCounted] = useState<Counted | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const unable = useUnable("administrator");
  const dryRun = (): void => {
    setBusy(true);
    count(asked())
      .then(setCounted, (error: unknown) => {
        tellFailed("It was not counted", readError(error).message);
      })
      .finally(() => {
        setBusy(false);
      });
  };
  return (
    <div className="mt-5 flex flex-col gap-3 border-t border-line pt-4">
      <div className="flex flex-wrap gap-2">
        <Button unable={unable ?? (isBusy ? "It is being counted." : undefined)} onClick={dryRun}>
          Count what these days would delete
        </Button>
        <Button
          kind="danger"
          unable={unable}
          onClick={() => {
            setAsking(true);
          }}
        >
          Delete now…
        </Button>
      </div>
      <div role="status">
        {counted !== null && (
          <>
            <Rows rows={counted.rows} none="Nothing is old enough." />
            {!counted.isComplete && <p className="m-0 mt-2 text-muted">There is more.</p>}
          </>
        )}
      </div>
      <ConfirmDialog
        title="Delete what is old now?"
        action="Delete it"
        open={isAsking}
        onClose={() => {
          setAsking(false);
        }}
        onConfirm={() =>
          tellOutcome(prune(), { done: "What was old is deleted", failed: "It was not deleted" })
        }
      >
        By the days that are saved, as a run of every hour does. It cannot be undone.
      </ConfirmDialog>
    </div>
  );
}

function Rows({ rows, none }: { rows: RowCounts; none: string }): ReactNode {
  const found = Object.entries(rows).filter(([, n]) => n > 0);
  if (found.length === 0) return <p className="m-0 text-muted">{none}</p>;
  const all = found.reduce((sum, [, n]) => sum + n, 0);
  return (
    <>
      <p className="m-0 mb-1">{plural(all, "row")}:</p>
      <ul className="m-0 flex list-none flex-wrap gap-x-5 gap-y-1 p-0 text-muted">
        {found.map(([table, n]) => (
          <li key={table}>
            {formatWord(table)} {formatCount(n)}
          </li>
        ))}
      </ul>
    </>
  );
}
