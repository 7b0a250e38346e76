import { useEffect, useRef } from "react";

/** Nearer to the end of the page than this is at the end, pixels. */
const END_PX = 48;

/** Who has scrolled to the end of the page stays there as it grows; who reads elsewhere is not moved. */
export function useStayAtEnd(length: number): void {
  const isAtEnd = useRef(false);
  useEffect(() => {
    const onScroll = (): void => {
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      isAtEnd.current = scrollTop > 0 && scrollHeight - scrollTop - clientHeight < END_PX;
    };
    addEventListener("scroll", onScroll, { passive: true });
    return () => {
      removeEventListener("scroll", onScroll);
    };
  }, []);
  useEffect(() => {
    if (isAtEnd.current) scrollTo({ top: document.documentElement.scrollHeight });
  }, [length]);
}
