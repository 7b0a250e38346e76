/** Whether a log's end is kept in sight. */
import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from "react";

/** Nearer to the end than this is at the end, pixels. */
const END_PX = 6;
const UP_KEYS = ["PageUp", "ArrowUp", "Home"];

export type Follow = {
  isFollowing: boolean;
  /** Lines that came since it stands still. */
  unseen: number;
  /** Goes to the end and stays there. */
  resume: () => void;
  /** Stands still where it is. */
  pause: () => void;
};

type FollowOptions = {
  box: RefObject<HTMLDivElement | null>;
  /** Lines there are, and what the height of all rows depends on. */
  lines: number;
  height: number;
  startsAtEnd: boolean;
};

/**
 * Keeps the end in sight until the reader goes up, by wheel, finger, key or bar: from that moment nothing moves
 * by itself. At the end, or with End, it follows again.
 */
export function useFollow({ box, lines, height, startsAtEnd }: FollowOptions): Follow {
  const [pausedAt, setPausedAt] = useState<number | null>(startsAtEnd ? null : lines);
  const isFollowing = pausedAt === null;
  const count = useRef(lines);
  useEffect(() => {
    count.current = lines;
  }, [lines]);
  useLayoutEffect(() => {
    if (isFollowing) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [box, isFollowing, lines, height]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const pause = (): void => {
      setPausedAt((before) => before ?? count.current);
    };
    const resume = (): void => {
      setPausedAt(null);
    };
    return listen(element, { pause, resume });
  }, [box]);
  return {
    isFollowing,
    unseen: pausedAt === null ? 0 : Math.max(0, lines - pausedAt),
    resume: () => {
      setPausedAt(null);
    },
    pause: () => {
      setPausedAt((before) => before ?? lines);
    },
  };
}

type Turns = { pause: () => void; resume: () => void };

function listen(element: HTMLElement, { pause, resume }: Turns): () => void {
  let top = element.scrollTop;
  let height = element.scrollHeight;
  const onWheel = ({ deltaY }: WheelEvent): void => {
    if (deltaY < 0) pause();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (UP_KEYS.includes(event.key)) pause();
    if (event.key !== "End") return;
    event.preventDefault();
    resume();
  };
  const onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = element;
    const isUp = scrollTop < top;
    const hasShrunk = scrollHeight < height;
    const isAtEnd = scrollHeight - scrollTop - clientHeight <= END_PX;
    // Up without the rows having become fewer: a finger or the bar did it.
    if (isUp && !hasShrunk && !isAtEnd) pause();
    if (scrollTop > top && isAtEnd) resume();
    top = scrollTop;
    height = scrollHeight;
  };
  element.addEventListener("wheel", onWheel, { passive: true });
  element.addEventListener("keydown", onKey);
  element.addEventListener("scroll", onScroll, { passive: true });
  return () => {
    element.removeEventListener("wheel", onWheel);
    element.removeEventListener("keydown", onKey);
    element.removeEventListener("scroll", onScroll);
  };
}
