import { Plus } from "lucide-react";
import { useState, type ReactNode } from "react";
import { formatActor, formatMoney, formatRepositoryKey, plural } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { Panel } from "../../ui/Page.js";
import { Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { BudgetDialog } from "./BudgetDialog.js";
import { useBudgetActions, useBudgets, type Budget } from "./budgets.js";

/** From this share on a budget is nearly used up. */
const NEARLY = 0.8;
const PERIODS = { day: "a day", month: "a month", total: "in all" } as const;

/** What may be spent: by everybody, on a repository, by a person, with a credential. */
export function BudgetsTab(): ReactNode {
  const budgets = useBudgets();
  const [isAdding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<Budget | null>(null);
  const unable = useUnable("administrator");
  const add = (
    <Button
      size="small"
      icon={<Plus size={14} aria-hidden />}
      unable={unable}
      onClick={() => {
        setAdding(true);
      }}
    >
      Set a budget
    </Button>
  );
  return (
    <>
      {budgets === undefined ? (
        <Loading what="budgets" />
      ) : budgets.length === 0 ? (
        <EmptyState title="No budget yet" actions={add}>
          Jobs are bounded by their own limits alone. A budget bounds what a day, a month or all
          time may cost: jobs wait when it is used up, and attempts stop before they overrun it.
        </EmptyState>
      ) : (
        <Panel title="Budgets" actions={add}>
          <ul className="m-0 flex list-none flex-col gap-5 p-0">
            {budgets.map((budget) => (
              <Row key={budget.budgetId} budget={budget} onRemove={setDoomed} />
            ))}
          </ul>
        </Panel>
      )}
      {isAdding && (
        <BudgetDialog
          onClose={() => {
            setAdding(false);
          }}
        />
      )}
      <RemoveDialog
        budget={doomed}
        onClose={() => {
          setDoomed(null);
        }}
      />
    </>
  );
}

function nameOf({ scope, credential }: Budget): string {
  switch (scope.kind) {
    case "all":
      return "Everybody";
    case "repository":
      return formatRepositoryKey(scope.name);
    case "user":
      return formatActor(scope.name);
    case "credential":
      return `Credential ${credential ?? "that was removed"}`;
  }
}

type RowProps = { budget: Budget; onRemove: (budget: Budget) => void };

function Row({ budget, onRemove }: RowProps): ReactNode {
  const { limitUsd, spentUsd, reservedUsd, overshootUsd, period, timeZone, endsAt } = budget;
  const { waiting } = budget;
  const name = nameOf(budget);
  const unable = useUnable("administrator");
  return (
    <li className="flex flex-col gap-1.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="min-w-0 flex-1 font-medium break-all">
          {name}, {formatMoney(limitUsd)} {PERIODS[period]}
        </span>
        <span className="tabular-nums">{formatMoney(spentUsd)} spent</span>
        <Button
          size="small"
          unable={unable}
          aria-label={`Remove the budget of ${name}`}
          onClick={() => {
            onRemove(budget);
          }}
        >
          Remove
        </Button>
      </div>
      <UsedUp name={name} share={limitUsd === 0 ? 1 : (spentUsd + reservedUsd) / limitUsd} />
      <span className="text-[13px] text-muted">
        {formatMoney(reservedUsd)} set aside for attempts under way
        {overshootUsd > 0 && `, ${formatMoney(overshootUsd)} spent beyond what was set aside`}
        {waiting > 0 && `, ${plural(waiting, "job waits", "jobs wait")} for room`}
        {endsAt !== null && (
          <>
            , anew <Time at={endsAt} /> ({timeZone})
          </>
        )}
      </span>
    </li>
  );
}

/** How much of a budget is spent or set aside. */
function UsedUp({ name, share }: { name: string; share: number }): ReactNode {
  const percent = Math.round(Math.min(1, share) * 100);
  return (
    <div
      role="meter"
      aria-label={`Spent and set aside of the budget of ${name}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={`${percent}%`}
      className="h-2 overflow-hidden rounded-full bg-sunken"
    >
      <div
        className={share < NEARLY ? "h-full bg-accent" : "h-full bg-bad"}
        style={{ width: `${percent}%` }}
      />
    </div>
  );
}

function RemoveDialog({
  budget,
  onClose,
}: {
  budget: Budget | null;
  onClose: () => void;
}): ReactNode {
  const { remove } = useBudgetActions();
  if (budget === null) return null;
  const name = nameOf(budget);
  return (
    <ConfirmDialog
      title={`Remove the budget of ${name}?`}
      action="Remove it"
      open
      onClose={onClose}
      onConfirm={() =>
        tellOutcome(remove({ budgetId: budget.budgetId }), {
          done: `The budget of ${name} is removed`,
          failed: "The budget was not removed",
        })
      }
    >
      It bounds nobody any more; jobs that wait for room in it go on.
    </ConfirmDialog>
  );
}
