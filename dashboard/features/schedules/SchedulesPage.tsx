import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState, type ReactNode } from "react";
import { plural } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { ConfirmDialog } from "../../ui/Dialog.js";
import { PageHead } from "../../ui/Page.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { tellOutcome } from "../../ui/toast.js";
import { ScheduleDialog } from "./ScheduleDialog.js";
import { ScheduleTable } from "./ScheduleTable.js";
import { useScheduleActions, useSchedules, type Schedule } from "./schedules.js";

const route = getRouteApi("/signedIn/schedules");
const NEW = "new";

/** Jobs that submit themselves. */
export function SchedulesPage(): ReactNode {
  const { open } = route.useSearch();
  const schedules = useSchedules();
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState<Schedule | null>(null);
  const show = (id: string | undefined): void => {
    void navigate({ to: "/schedules", search: { open: id } });
  };
  const edited = schedules?.find(({ scheduleId }) => scheduleId === open);
  const add = <NewButton onPress={show} />;
  return (
    <>
      <PageHead title="Schedules" tabTitle={titleOf(schedules)} actions={add}>
        Jobs that submit themselves, by the clock.
      </PageHead>
      {schedules === undefined ? (
        <Loading what="schedules" rows={4} />
      ) : schedules.length === 0 ? (
        <EmptyState title="No schedule yet" actions={add}>
          A schedule submits the same job again and again: every night, every hour, workdays at
          nine, in the time zone you name.
        </EmptyState>
      ) : (
        <ScheduleTable schedules={schedules} onEdit={show} onRemove={setDoomed} />
      )}
      {(open === NEW || edited !== undefined) && (
        <ScheduleDialog
          key={open}
          schedule={edited ?? null}
          onClose={() => {
            show(undefined);
          }}
        />
      )}
      <RemoveDialog
        schedule={doomed}
        onClose={() => {
          setDoomed(null);
        }}
      />
    </>
  );
}

function titleOf(schedules: readonly Schedule[] | undefined): string {
  const active = schedules?.filter(({ paused }) => !paused).length ?? 0;
  return active === 0 ? "Schedules" : `Schedules, ${active} active`;
}

function NewButton({ onPress }: { onPress: (id: string) => void }): ReactNode {
  const unable = useUnable("operator");
  return (
    <Button
      kind="primary"
      icon={<Plus size={16} aria-hidden />}
      unable={unable}
      onClick={() => {
        onPress(NEW);
      }}
    >
      New schedule
    </Button>
  );
}

function RemoveDialog({
  schedule,
  onClose,
}: {
  schedule: Schedule | null;
  onClose: () => void;
}): ReactNode {
  const { remove } = useScheduleActions();
  if (schedule === null) return null;
  const { scheduleId, name, runs } = schedule;
  return (
    <ConfirmDialog
      title={`Delete ${name}?`}
      action="Delete it"
      open
      onClose={onClose}
      onConfirm={() =>
        tellOutcome(remove({ scheduleId }), {
          done: `${name} is deleted`,
          failed: `${name} was not deleted`,
        })
      }
    >
      It fires no more. The {plural(runs, "job")} it has submitted so far stay.
    </ConfirmDialog>
  );
}
