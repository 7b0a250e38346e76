import { Plus } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Button } from "../../ui/Button.js";

/** The button of a list that opens the dialog in which one more is made. */
export function AddButton({
  children,
  unable,
  dialog,
}: {
  /** What it does, in words. */
  children: string;
  /** Why it cannot be done now. */
  unable: string | undefined;
  dialog: (onClose: () => void) => ReactNode;
}): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button
        size="small"
        unable={unable}
        icon={<Plus size={14} aria-hidden />}
        onClick={() => {
          setOpen(true);
        }}
      >
        {children}
      </Button>
      {isOpen &&
        dialog(() => {
          setOpen(false);
        })}
    </>
  );
}
