import { useNavigate } from "@tanstack/react-router";
import { CornerDownRight } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { Dialog } from "../../ui/Dialog.js";
import { TextArea } from "../../ui/Field.js";
import { Form } from "../../ui/Form.js";
import { useFollowUp } from "./steer.js";

const GONE =
  "Nothing of its session is kept: it never got that far, was followed up before, or ended more than three days ago.";

/** Goes on with an ended job's session in a new job, and leads there. */
export function FollowUp({ job }: { job: JobDetail }): ReactNode {
  const may = useUnable("operator");
  const [isOpen, setOpen] = useState(false);
  const close = (): void => {
    setOpen(false);
  };
  return (
    <>
      <Button
        icon={<CornerDownRight size={15} aria-hidden />}
        unable={may ?? (job.isSessionKept === true ? undefined : GONE)}
        onClick={() => {
          setOpen(true);
        }}
      >
        Follow up
      </Button>
      <Dialog title="Follow up" open={isOpen} onClose={close}>
        <Ask job={job} onDone={close} />
      </Dialog>
    </>
  );
}

function Ask({ job: { jobId }, onDone }: { job: JobDetail; onDone: () => void }): ReactNode {
  const followUp = useFollowUp(jobId);
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const unable = useUnable("operator");
  const send = async (): Promise<void> => {
    const next = await followUp(text);
    onDone();
    await navigate({ to: "/jobs/$jobId", params: { jobId: next } });
  };
  return (
    <Form
      action="Follow up"
      unable={unable ?? (text.trim() === "" ? "Say what is next." : undefined)}
      onSubmit={send}
    >
      <TextArea
        label="What is next"
        hint="A new job goes on with the same conversation and the files as this one left them. A session goes on in one place: to say more after that, follow up the new job."
        rows={5}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
        }}
      />
    </Form>
  );
}
