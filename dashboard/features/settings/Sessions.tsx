import type { ReactNode } from "react";
import { plural } from "../../lib/format.js";
import { useUnable } from "../../session/me.js";
import { Badge } from "../../ui/Badge.js";
import { Button } from "../../ui/Button.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Time } from "../../ui/Time.js";
import { tellOutcome } from "../../ui/toast.js";
import { useAccountActions, useSessions } from "./account.js";

/** Where one is signed in. */
export function Sessions(): ReactNode {
  const sessions = useSessions();
  const { endSession, endOthers } = useAccountActions();
  const unable = useUnable("viewer");
  const others = sessions?.filter(({ current }) => !current) ?? [];
  return (
    <Panel
      title="Sessions"
      className="min-w-0"
      actions={
        others.length > 0 && (
          <Button
            size="small"
            unable={unable}
            onClick={() =>
              void tellOutcome(endOthers({}), {
                done: `${plural(others.length, "session")} ended`,
                failed: "The sessions were not ended",
              })
            }
          >
            End all others
          </Button>
        )
      }
    >
      {sessions === undefined ? (
        <Loading what="sessions" rows={2} />
      ) : (
        <ul className="m-0 flex list-none flex-col gap-3 p-0">
          {sessions.map(({ sessionId, label, ip, refreshedAt, expiresAt, current }) => (
            <li key={sessionId} className="flex flex-wrap items-center gap-x-3 gap-y-1">
              <span className="min-w-0 flex-1">
                <span className="block font-medium break-words">
                  {label === "" ? "Unnamed" : label}{" "}
                  {current && <Badge tone="live">This one</Badge>}
                </span>
                <span className="block text-[13px] text-muted">
                  {ip ?? "address not known"}, used <Time at={refreshedAt} />, ends{" "}
                  <Time at={expiresAt} />
                </span>
              </span>
              {!current && (
                <Button
                  size="small"
                  unable={unable}
                  aria-label={`End session ${label}`}
                  onClick={() =>
                    void tellOutcome(endSession({ sessionId }), {
                      done: "Session ended",
                      failed: "The session was not ended",
                    })
                  }
                >
                  End
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
