import { SendHorizontal } from "lucide-react";
import { useState, type KeyboardEvent, type ReactNode } from "react";
import { STEERING_CHARS_MAX } from "../../../convex/protocol/limits.js";
import type { SteeringState, SteeringView } from "../../../convex/protocol/steering.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { formatActor, plural } from "../../lib/format.js";
import { isTerminal, type Tone } from "../../lib/stateLook.js";
import { useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { Button } from "../../ui/Button.js";
import { TextArea } from "../../ui/Field.js";
import { Time } from "../../ui/Time.js";
import { useSaid, useSteer, whyNotSteer } from "./steer.js";

/** Of what was said, the latest are shown until one asks for all. */
const SHOWN = 4;

const TONES: Record<SteeringState, Tone> = {
  sent: "calm",
  delivered: "live",
  acknowledged: "good",
  refused: "bad",
  undelivered: "warn",
};

/** What people told the run and what became of it, and, until it has ended, the box to tell it more. */
export function Say({ job }: { job: JobDetail }): ReactNode {
  return (
    <div className="mx-auto mt-4 flex max-w-4xl flex-col gap-3">
      <Said job={job} />
      {!isTerminal(job.state.kind) && <Box job={job} />}
    </div>
  );
}

function Said({ job }: { job: JobDetail }): ReactNode {
  const said = useSaid(job.jobId) ?? [];
  const [isWhole, setWhole] = useState(false);
  if (said.length === 0) return null;
  const hidden = isWhole ? 0 : Math.max(0, said.length - SHOWN);
  return (
    <section aria-label="Said to the run" className="rounded-lg bg-raised px-4 py-3">
      <h2 className="m-0 mb-1.5 text-[13px] font-semibold text-muted">Said to the run</h2>
      {hidden > 0 && (
        <Button
          size="small"
          kind="quiet"
          onClick={() => {
            setWhole(true);
          }}
        >
          Show {plural(hidden, "more")}
        </Button>
      )}
      <ol className="m-0 flex list-none flex-col gap-2 p-0">
        {said.slice(hidden).map((one) => (
          <Line key={one.steeringId} said={one} />
        ))}
      </ol>
    </section>
  );
}

function Line({ said }: { said: SteeringView }): ReactNode {
  const { state, by, at, reason, text } = said;
  return (
    <li className="min-w-0">
      <div className="flex flex-wrap items-baseline justify-between gap-x-3">
        <span className="min-w-0 break-words whitespace-pre-wrap">
          {said.kind !== "message" && <span className="font-medium">{titleOf(said)}</span>}
          {text}
        </span>
        <span className="flex items-baseline gap-2 text-[13px] text-muted">
          {formatActor(by)}, <Time past at={at} />
          <Badge tone={TONES[state]}>{state}</Badge>
        </span>
      </div>
      {reason !== undefined && <p className="m-0 text-[13px] break-words text-muted">{reason}</p>}
    </li>
  );
}

function titleOf({ kind, text }: SteeringView): string {
  if (kind === "stopAfterTurn") return "Stop after this turn";
  return text === undefined ? "Interrupt" : "Interrupt: ";
}

function Box({ job }: { job: JobDetail }): ReactNode {
  const { say } = useSteer(job.jobId);
  const [text, setText] = useState("");
  const may = useUnable("operator") ?? whyNotSteer("message", job);
  const unable = may ?? (text.trim() === "" ? "Type what the run should hear." : undefined);
  const send = async (): Promise<void> => {
    if (unable !== undefined) return;
    setText("");
    // Nothing typed is lost: what was refused comes back, before what was typed meanwhile.
    if (!(await say(text))) setText((later) => (later === "" ? text : `${text}\n${later}`));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void send();
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
      className="sticky bottom-16 z-20 flex items-end gap-2 rounded-lg border border-line-strong bg-ground p-2 md:bottom-4"
    >
      <TextArea
        label="Tell the run something"
        hideLabel
        placeholder={
          job.state.kind === "running"
            ? "Tell the run something…"
            : "Tell it something: it hears it when it runs…"
        }
        className="min-w-0 flex-1"
        rows={2}
        maxLength={STEERING_CHARS_MAX}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
        }}
        onKeyDown={onKeyDown}
      />
      <Button
        type="submit"
        kind="primary"
        icon={<SendHorizontal size={15} aria-hidden />}
        unable={unable}
        title={unable === undefined ? "Ctrl+Enter" : undefined}
      >
        Send
      </Button>
    </form>
  );
}
