import { CircleSlash, Inbox, Lock, SearchX, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { readError, type Failure } from "../lib/errors.js";

type NoteProps = { icon: ReactNode; title: string; children?: ReactNode; actions?: ReactNode };

function Note({ icon, title, children, actions }: NoteProps): ReactNode {
  return (
    <div className="flex flex-col items-center gap-2 rounded-lg border border-dashed border-line px-6 py-12 text-center">
      <span className="text-muted">{icon}</span>
      <p className="m-0 text-[15px] font-medium">{title}</p>
      {children !== undefined && <div className="max-w-md text-muted">{children}</div>}
      {actions !== undefined && (
        <div className="mt-2 flex flex-wrap justify-center gap-2">{actions}</div>
      )}
    </div>
  );
}

type StateProps = Omit<NoteProps, "icon">;

/** There is nothing yet: says what would be here and how to get it. */
export function EmptyState(props: StateProps): ReactNode {
  return <Note icon={<Inbox size={26} aria-hidden />} {...props} />;
}

/** There is something, but nothing that matches: not the same as empty. */
export function NoMatchState(props: StateProps): ReactNode {
  return <Note icon={<SearchX size={26} aria-hidden />} {...props} />;
}

/** There may be something, but not for the person's role; the children say which role it needs. */
export function ForbiddenState(props: StateProps): ReactNode {
  return <Note icon={<Lock size={26} aria-hidden />} {...props} />;
}

/** An error as a page or a part of one, by its code. `what` names the thing: "job", "executor". */
export function ErrorState({
  error,
  what,
  actions,
}: {
  error: unknown;
  what: string;
  actions?: ReactNode;
}): ReactNode {
  const failure = readError(error);
  const { icon, title } = describe(failure, what);
  return (
    <div role="alert">
      <Note icon={icon} title={title} actions={actions}>
        {failure.message}
      </Note>
    </div>
  );
}

function describe({ code }: Failure, what: string): { icon: ReactNode; title: string } {
  switch (code) {
    case "NOT_FOUND":
    case "INVALID_ARGUMENT":
      return { icon: <CircleSlash size={26} aria-hidden />, title: `There is no such ${what}` };
    case "FORBIDDEN":
      return { icon: <Lock size={26} aria-hidden />, title: `Your role may not see this ${what}` };
    case "UNAUTHENTICATED":
      return { icon: <Lock size={26} aria-hidden />, title: "You are not signed in any more" };
    case "RATE_LIMITED":
    case "ILLEGAL_TRANSITION":
    case "STALE_LEASE":
    case "SUPERSEDED":
    case "REVOKED":
    case "UNKNOWN":
      return {
        icon: <TriangleAlert size={26} aria-hidden />,
        title: `The ${what} could not be shown`,
      };
  }
}

/** Grey bars where content will be; says so to screen readers. */
export function Loading({ what, rows = 4 }: { what: string; rows?: number }): ReactNode {
  return (
    <div role="status" className="flex flex-col gap-2">
      <span className="sr-only">Loading {what}</span>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} aria-hidden className="h-8 animate-pulse rounded-md bg-sunken" />
      ))}
    </div>
  );
}
