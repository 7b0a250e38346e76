import { useConvexConnectionState } from "convex/react";
import { useEffect, useState } from "react";

/** A connection that is away for less is not worth a word. */
const GRACE_MS = 1_000;

/** Whether the live connection stands; a short gap does not count. */
export function useConnected(): boolean {
  const { isWebSocketConnected } = useConvexConnectionState();
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    const timer = setTimeout(
      () => {
        setAway(!isWebSocketConnected);
      },
      isWebSocketConnected ? 0 : GRACE_MS,
    );
    return () => {
      clearTimeout(timer);
    };
  }, [isWebSocketConnected]);
  return !isAway;
}
