import { AlertDialog } from "@base-ui/react/alert-dialog";
import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Button, IconButton } from "./Button.js";

const BACKDROP = "fixed inset-0 z-40 bg-black/45";
const POPUP =
  "fixed top-[8vh] left-1/2 z-50 max-h-[84vh] w-[min(94vw,34rem)] -translate-x-1/2 overflow-y-auto rounded-xl border border-line bg-ground p-5 shadow-pop";

type DialogProps = {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
};

/** A dialog over the page: takes the focus, gives it back, ends by Escape. */
export function Dialog({ title, open, onClose, children }: DialogProps): ReactNode {
  return (
    <Base.Root
      open={open}
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose();
      }}
    >
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup className={POPUP}>
          <div className="mb-3 flex items-center justify-between gap-4">
            <Base.Title className="m-0 text-[16px] font-semibold">{title}</Base.Title>
            <Base.Close render={<IconButton name="Close" icon={<X size={16} aria-hidden />} />} />
          </div>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

type ConfirmProps = {
  title: string;
  /** What will happen, and what cannot be undone. */
  children: ReactNode;
  /** The word on the button that does it. */
  action: string;
  open: boolean;
  onClose: () => void;
  /** The dialog stays, and the button waits, until it resolves; it closes then. */
  onConfirm: () => Promise<unknown>;
};

/** Asks before something that destroys. */
export function ConfirmDialog(props: ConfirmProps): ReactNode {
  const { title, children, action, open, onClose, onConfirm } = props;
  const [isBusy, setBusy] = useState(false);
  const confirm = (): void => {
    setBusy(true);
    void onConfirm().finally(() => {
      setBusy(false);
      onClose();
    });
  };
  return (
    <AlertDialog.Root
      open={open}
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose();
      }}
    >
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={BACKDROP} />
        <AlertDialog.Popup className={POPUP}>
          <AlertDialog.Title className="m-0 mb-2 text-[16px] font-semibold">
            {title}
          </AlertDialog.Title>
          <AlertDialog.Description render={<div />} className="text-muted">
            {children}
          </AlertDialog.Description>
          <div className="mt-5 flex justify-end gap-2">
            <AlertDialog.Close render={<Button>Keep as it is</Button>} />
            <Button
              kind="danger"
              onClick={confirm}
              {...(isBusy ? { unable: "It is being done." } : {})}
            >
              {action}
            </Button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
