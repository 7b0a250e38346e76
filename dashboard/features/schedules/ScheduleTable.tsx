import { Link, useNavigate } from "@tanstack/react-router";
import { CirclePause, CirclePlay, MoreHorizontal, Pencil, Play, Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import { formatActor, formatRepositoryKey } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { Button, IconButton } from "../../ui/Button.js";
import { Menu } from "../../ui/Menu.js";
import { ActionsTh, Table, Td, Th } from "../../ui/Table.js";
import { Nothing, Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { describeCadence } from "./form.js";
import { useScheduleActions, type Schedule } from "./schedules.js";

type On = { onEdit: (id: string) => void; onRemove: (schedule: Schedule) => void };

/** All schedules: when they fire, and what became of the last time. */
export function ScheduleTable({
  schedules,
  ...on
}: { schedules: readonly Schedule[] } & On): ReactNode {
  return (
    <Table name="Schedules">
      <thead>
        <tr>
          <Th>Schedule</Th>
          <Th>When</Th>
          <Th end>Next</Th>
          <Th end>Last</Th>
          <Th end>Jobs</Th>
          <Th>By</Th>
          <ActionsTh className="w-px" />
        </tr>
      </thead>
      <tbody>
        {schedules.map((schedule) => (
          <Row key={schedule.scheduleId} schedule={schedule} {...on} />
        ))}
      </tbody>
    </Table>
  );
}

function Row({ schedule, onEdit, onRemove }: { schedule: Schedule } & On): ReactNode {
  const { name, cadence, submission, paused, nextAt, lastError, runs, createdBy } = schedule;
  return (
    <tr className="hover:bg-raised">
      <Td className="min-w-56">
        <span className="flex items-center gap-2 font-medium">
          {name} {paused && <Badge tone="warn">Paused</Badge>}
        </span>
        <span className="block text-[13px] break-all text-muted" title={submission.repository}>
          {formatRepositoryKey(submission.repository)}
        </span>
        {lastError !== undefined && (
          <span className="block text-[13px] text-bad">Last time: {lastError}</span>
        )}
      </Td>
      <Td className="min-w-40">{describeCadence(cadence)}</Td>
      <Td end>{paused ? <Nothing /> : <Time at={nextAt} />}</Td>
      <Td end>
        <Last schedule={schedule} />
      </Td>
      <Td end>{runs}</Td>
      <Td className="whitespace-nowrap">{formatActor(createdBy)}</Td>
      <Td>
        <Actions schedule={schedule} onEdit={onEdit} onRemove={onRemove} />
      </Td>
    </tr>
  );
}

function Last({ schedule: { lastAt, lastJobId } }: { schedule: Schedule }): ReactNode {
  if (lastJobId === undefined) return <Time at={lastAt} />;
  return (
    <Link to="/jobs/$jobId" params={{ jobId: lastJobId }} className="text-accent underline">
      <Time at={lastAt} />
    </Link>
  );
}

function Actions({ schedule, onEdit, onRemove }: { schedule: Schedule } & On): ReactNode {
  const { scheduleId, name, paused } = schedule;
  const { pause, resume, runNow } = useScheduleActions();
  const navigate = useNavigate();
  const unable = useUnable("operator");
  const one = { scheduleId };
  const run = async (): Promise<void> => {
    const sent = runNow(one);
    const told = { done: `${name} has submitted a job`, failed: `${name} did not run` };
    if (!(await tellOutcome(sent, told))) return;
    await navigate({ to: "/jobs/$jobId", params: { jobId: await sent } });
  };
  const turn = paused
    ? tellTurned(() => resume(one), { done: `${name} fires again`, failed: `${name} stays paused` })
    : tellTurned(() => pause(one), { done: `${name} is paused`, failed: `${name} was not paused` });
  const icon = paused ? (
    <CirclePlay size={14} aria-hidden />
  ) : (
    <CirclePause size={14} aria-hidden />
  );
  return (
    <span className="flex items-center justify-end gap-1">
      <Button size="small" icon={icon} unable={unable} onClick={turn}>
        {paused ? "Resume" : "Pause"}
      </Button>
      <Menu
        trigger={
          <IconButton name={`More for ${name}`} icon={<MoreHorizontal size={16} aria-hidden />} />
        }
        entries={[
          {
            ...{ title: "Run now", icon: <Play size={15} aria-hidden />, unable },
            onChoose: () => void run(),
          },
          {
            ...{ title: "Edit…", icon: <Pencil size={15} aria-hidden />, unable },
            onChoose: () => {
              onEdit(scheduleId);
            },
          },
          {
            ...{ title: "Delete…", icon: <Trash2 size={15} aria-hidden />, unable },
            onChoose: () => {
              onRemove(schedule);
            },
          },
        ]}
      />
    </span>
  );
}

function tellTurned(
  turn: () => Promise<unknown>,
  words: { done: string; failed: string },
): () => void {
  return () => void tellOutcome(turn(), words);
}
