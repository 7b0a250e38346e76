import { createRootRoute, Link, Outlet } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { readError, type Failure } from "../lib/errors.js";
import { buttonLook } from "../ui/Button.js";
import { PageHead } from "../ui/Page.js";
import { ErrorState, NoMatchState } from "../ui/States.js";

/** The one above all; a page that is not there and a page that fails are designed here. */
export const rootRoute = createRootRoute({
  component: Outlet,
  notFoundComponent: NotFound,
  errorComponent: ({ error }) => <RouteError error={error} />,
});

function Home(): ReactNode {
  return (
    <Link to="/" className={buttonLook()}>
      To the overview
    </Link>
  );
}

/** There is no page at the address. */
export function NotFound(): ReactNode {
  return (
    <div className="mx-auto max-w-2xl p-4">
      <PageHead title="Not found" />
      <NoMatchState title="There is no page at this address" actions={<Home />}>
        It may have been mistyped, or the page has moved.
      </NoMatchState>
    </div>
  );
}

function titleOf(code: Failure["code"]): string {
  if (code === "NOT_FOUND" || code === "INVALID_ARGUMENT") return "Not found";
  return code === "FORBIDDEN" ? "Not for your role" : "Something is in the way";
}

/** A page that could not be shown, by what its query answered. */
export function RouteError({ error, what = "page" }: { error: unknown; what?: string }): ReactNode {
  return (
    <div className="mx-auto max-w-2xl p-4">
      <PageHead title={titleOf(readError(error).code)} />
      <ErrorState error={error} what={what} actions={<Home />} />
    </div>
  );
}
