import type { ButtonHTMLAttributes, ReactNode, SyntheticEvent } from "react";
import { cx } from "../lib/cx.js";
import { Tooltip } from "./Tooltip.js";

const KINDS = {
  plain: "border-line bg-ground hover:bg-raised text-text",
  primary: "border-accent bg-accent text-on-accent hover:opacity-90",
  danger: "border-bad bg-ground text-bad hover:bg-bad-soft",
  quiet: "border-transparent bg-transparent text-muted hover:bg-sunken hover:text-text",
} as const;
export type ButtonKind = keyof typeof KINDS;

export type ButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> & {
  kind?: ButtonKind;
  size?: "small" | "normal";
  /** Why it cannot be pressed now; absent: it can. Said aloud and shown on hover and focus. */
  unable?: string | undefined;
  icon?: ReactNode;
};

/** Classes of a button, for links that look like one. */
export function buttonLook(
  kind: ButtonKind = "plain",
  size: "small" | "normal" = "normal",
): string {
  return cx(
    "inline-flex items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap",
    "select-none no-underline transition-colors",
    size === "small" ? "min-h-7 px-2 text-[13px]" : "min-h-8 px-3",
    KINDS[kind],
  );
}

/** A button that says why it is disabled: it stays focusable, so that everybody can find out. */
export function Button(props: ButtonProps): ReactNode {
  const { kind, size, unable, icon, className, onClick, children, type, ...rest } = props;
  const look = cx(
    buttonLook(kind, size),
    unable !== undefined && "cursor-not-allowed opacity-60",
    className,
  );
  if (unable === undefined) {
    return (
      <button {...rest} type={type ?? "button"} onClick={onClick} className={look}>
        {icon}
        {children}
      </button>
    );
  }
  const refuse = (event: SyntheticEvent): void => {
    event.preventDefault();
  };
  return (
    <Tooltip text={unable}>
      {(describedBy) => (
        <button
          {...rest}
          type={type ?? "button"}
          aria-disabled
          aria-describedby={describedBy}
          onClick={refuse}
          className={look}
        >
          {icon}
          {children}
        </button>
      )}
    </Tooltip>
  );
}

/** A square button with an icon alone; its name is read aloud and shown as a hint. */
export function IconButton({
  name,
  icon,
  className,
  ...rest
}: Omit<ButtonProps, "children"> & { name: string }): ReactNode {
  return (
    <Button
      kind="quiet"
      size="small"
      {...rest}
      aria-label={name}
      title={rest.unable === undefined ? name : undefined}
      icon={icon}
      className={cx("min-w-7 px-1!", className)}
    />
  );
}
