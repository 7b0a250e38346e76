/** Answers that are asked for now and then, because watching them would cost a run at each heartbeat. */
import { useConvex } from "convex/react";
import {
  getFunctionName,
  makeFunctionReference,
  type FunctionArgs,
  type FunctionReference,
  type FunctionReturnType,
} from "convex/server";
import { useEffect, useState } from "react";

/**
 * The latest answer to a query that is asked again `pauseMs` of it later, while the page is seen;
 * undefined until there is one, and where `args` is "skip". What cannot be asked now is asked the
 * next time. `pauseMs` must be the same function each time.
 */
export function useGlance<Query extends FunctionReference<"query">>(
  query: Query,
  args: FunctionArgs<Query> | "skip",
  pauseMs: (answer: FunctionReturnType<Query> | undefined) => number,
): FunctionReturnType<Query> | undefined {
  const convex = useConvex();
  // `api.x.y` is another object each time it is read; its name is not.
  const name = getFunctionName(query);
  const key = args === "skip" ? null : JSON.stringify(args);
  const [seen, setSeen] = useState<{ key: string; answer: FunctionReturnType<Query> }>();
  useEffect(() => {
    if (key === null) return undefined;
    let isStale = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pause = (answer: FunctionReturnType<Query> | undefined): void => {
      clearTimeout(timer);
      if (!isStale) timer = setTimeout(ask, pauseMs(answer));
    };
    const ask = (): void => {
      if (document.hidden) return;
      // Name and arguments are those of `query` and `args`.
      const asked = makeFunctionReference<"query">(name) as Query;
      convex.query(asked, JSON.parse(key) as FunctionArgs<Query>).then(
        (answer: FunctionReturnType<Query>) => {
          if (!isStale) setSeen({ key, answer });
          pause(answer);
        },
        () => {
          pause(undefined);
        },
      );
    };
    ask();
    document.addEventListener("visibilitychange", ask);
    return () => {
      isStale = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", ask);
    };
  }, [convex, name, key, pauseMs]);
  return seen?.key === key ? seen.answer : undefined;
}
