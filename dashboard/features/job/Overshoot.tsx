import type { ReactNode } from "react";
import type { AttemptView } from "../../../convex/protocol/view.js";
import { Money } from "../../ui/Figures.js";

/** What an attempt cost beyond the line at which it was to be stopped. */
export function Overshoot({ spend }: { spend: AttemptView["spend"] }): ReactNode {
  const over = spend?.overshootUsd ?? 0;
  if (over === 0) return null;
  return (
    <span className="block text-[13px] whitespace-nowrap text-warn">
      <Money usd={over} /> over its line
    </span>
  );
}
