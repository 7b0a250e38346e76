import { Toast } from "@base-ui/react/toast";
import { CircleCheck, CircleX, X } from "lucide-react";
import type { ReactNode } from "react";
import { toasts } from "./toast.js";

/** Once, beside the page: where messages appear. */
export function Toasts(): ReactNode {
  return (
    <Toast.Provider toastManager={toasts} limit={4}>
      <Toast.Portal>
        <Toast.Viewport className="fixed right-3 bottom-16 z-60 flex w-[min(92vw,24rem)] flex-col gap-2 md:right-5 md:bottom-5">
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List(): ReactNode {
  const { toasts: shown } = Toast.useToastManager();
  return shown.map((toast) => (
    <Toast.Root
      key={toast.id}
      toast={toast}
      swipeDirection="right"
      className="flex items-start gap-2.5 rounded-lg border border-line bg-ground p-3 shadow-pop"
    >
      {toast.type === "bad" ? (
        <CircleX size={17} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      ) : (
        <CircleCheck size={17} aria-hidden className="mt-0.5 shrink-0 text-good" />
      )}
      <div className="min-w-0 flex-1">
        <Toast.Title className="m-0 text-[14px] font-medium" />
        <Toast.Description className="m-0 text-[13px] break-words text-muted" />
      </div>
      <Toast.Close aria-label="Dismiss" className="rounded p-1 text-muted hover:bg-sunken">
        <X size={16} aria-hidden />
      </Toast.Close>
    </Toast.Root>
  ));
}
