import { Ellipsis } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { copyText } from "../../lib/clipboard.js";
import { STEERING_CHARS_MAX } from "../../../convex/protocol/limits.js";
import { useUnable } from "../../session/me.js";
import { IconButton } from "../../ui/Button.js";
import { ConfirmDialog, Dialog } from "../../ui/Dialog.js";
import { TextArea } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { Menu } from "../../ui/Menu.js";
import { tellDone, tellFailed } from "../../ui/toast.js";
import type { Action } from "./actions.js";
import { useSteer, whyNotSteer } from "./steer.js";

type MenuProps = {
  job: JobDetail;
  unable: (action: Action) => string | undefined;
  onAct: (action: Action) => void;
};

/** What is done more seldom to a job; what ends a run asks first. */
export function JobMenu({ job, unable, onAct }: MenuProps): ReactNode {
  const may = useUnable("operator");
  const { stop } = useSteer(job.jobId);
  const [asking, setAsking] = useState<"interrupt" | "stopAfterTurn" | null>(null);
  const close = (): void => {
    setAsking(null);
  };
  const entry = (title: string, action: Action) => ({
    title,
    unable: unable(action),
    onChoose: () => {
      onAct(action);
    },
  });
  const steer = (title: string, kind: "interrupt" | "stopAfterTurn") => ({
    title,
    unable: may ?? whyNotSteer(kind, job),
    onChoose: () => {
      setAsking(kind);
    },
  });
  return (
    <>
      <Menu
        trigger={<IconButton name="More actions" icon={<Ellipsis size={17} aria-hidden />} />}
        entries={[
          steer("Interrupt…", "interrupt"),
          steer("Stop after this turn…", "stopAfterTurn"),
          entry("Hold", "hold"),
          entry("Release", "release"),
          entry("Send back to the queue", "requeue"),
          { title: "Copy the link", onChoose: () => void copy("Link", location.href) },
          { title: "Copy the id", onChoose: () => void copy("Id", job.jobId) },
        ]}
      />
      <Dialog title="Interrupt the run?" open={asking === "interrupt"} onClose={close}>
        <Interrupt job={job} onDone={close} />
      </Dialog>
      <ConfirmDialog
        title="Stop after this turn?"
        action="Stop the run"
        open={asking === "stopAfterTurn"}
        onClose={close}
        onConfirm={() => {
          // Not waited for: the page shows it at once, and a toast tells what became of it.
          void stop();
          return Promise.resolve();
        }}
      >
        The tools under way end, then the run does. The job is canceled; what it did is kept, and it
        can be followed up.
      </ConfirmDialog>
    </>
  );
}

/** With a text the run goes on with that; without it ends, and the button says so. */
function Interrupt({ job, onDone }: { job: JobDetail; onDone: () => void }): ReactNode {
  const { interrupt } = useSteer(job.jobId);
  const [text, setText] = useState("");
  const unable = useUnable("operator") ?? whyNotSteer("interrupt", job);
  const ends = text.trim() === "";
  return (
    <Form
      action={ends ? "Interrupt and end the run" : "Interrupt and go on"}
      kind={ends ? "danger" : "primary"}
      unable={unable}
      onSubmit={async () => {
        await interrupt(text.trim());
        onDone();
      }}
    >
      <TextArea
        label="What to do instead"
        hint={
          ends
            ? "The tools under way are ended. Without a text the run ends too: the job is canceled, what it did is kept."
            : "The tools under way are ended, and the run goes on with this."
        }
        rows={4}
        maxLength={STEERING_CHARS_MAX}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
        }}
      />
    </Form>
  );
}

async function copy(what: string, text: string): Promise<void> {
  if (await copyText(text)) tellDone(`${what} copied`);
  else tellFailed("Not copied", "The browser refused; select the text and copy it by hand.");
}
