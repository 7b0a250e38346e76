import {
  useId,
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
} from "react";
import { cx } from "../lib/cx.js";

const BOX =
  "w-full rounded-md border border-line-strong bg-ground px-2.5 text-text placeholder:text-muted aria-invalid:border-bad";

type FieldText = {
  label: string;
  /** What goes in, below the label. */
  hint?: ReactNode;
  /** What is wrong with what is in; announced. */
  problem?: string | undefined;
  /** Keeps the label for screen readers alone. */
  hideLabel?: boolean;
  className?: string | undefined;
};

type Ids = { id: string; describedBy: string | undefined };

function Frame({
  ids,
  text,
  children,
}: {
  ids: Ids;
  text: FieldText;
  children: ReactNode;
}): ReactNode {
  const { label, hint, problem, hideLabel, className } = text;
  return (
    <div className={cx("flex flex-col gap-1", className)}>
      <label htmlFor={ids.id} className={hideLabel === true ? "sr-only" : "font-medium"}>
        {label}
      </label>
      {children}
      {hint !== undefined && (
        <p id={`${ids.id}-hint`} className="m-0 text-[13px] text-muted">
          {hint}
        </p>
      )}
      {problem !== undefined && (
        <p id={`${ids.id}-problem`} role="alert" className="m-0 text-[13px] text-bad">
          {problem}
        </p>
      )}
    </div>
  );
}

function useIds({ hint, problem }: FieldText): Ids {
  const id = useId();
  const parts = [
    ...(hint === undefined ? [] : [`${id}-hint`]),
    ...(problem === undefined ? [] : [`${id}-problem`]),
  ];
  return { id, describedBy: parts.length > 0 ? parts.join(" ") : undefined };
}

function split<T extends FieldText>(props: T) {
  const { label, hint, problem, hideLabel, className, ...rest } = props;
  const text = { label, hint, problem, className, ...(hideLabel === true ? { hideLabel } : {}) };
  return { text, rest };
}

/** One line of text. */
export function TextField(props: FieldText & InputHTMLAttributes<HTMLInputElement>): ReactNode {
  const { text, rest } = split(props);
  const ids = useIds(text);
  return (
    <Frame ids={ids} text={text}>
      <input
        {...rest}
        id={ids.id}
        aria-describedby={ids.describedBy}
        aria-invalid={text.problem === undefined ? undefined : true}
        className={cx(BOX, "h-8")}
      />
    </Frame>
  );
}

/** Many lines. */
export function TextArea(
  props: FieldText & TextareaHTMLAttributes<HTMLTextAreaElement>,
): ReactNode {
  const { text, rest } = split(props);
  const ids = useIds(text);
  return (
    <Frame ids={ids} text={text}>
      <textarea
        {...rest}
        id={ids.id}
        aria-describedby={ids.describedBy}
        aria-invalid={text.problem === undefined ? undefined : true}
        className={cx(BOX, "py-2 font-mono text-[13px]")}
      />
    </Frame>
  );
}

type Options = { options: readonly { value: string; title: string }[] };

/** One of a few; the system's own control, which phones know best. */
export function SelectField(
  props: FieldText & Options & SelectHTMLAttributes<HTMLSelectElement>,
): ReactNode {
  const { options, ...others } = props;
  const { text, rest } = split(others);
  const ids = useIds(text);
  return (
    <Frame ids={ids} text={text}>
      <select {...rest} id={ids.id} aria-describedby={ids.describedBy} className={cx(BOX, "h-8")}>
        {options.map(({ value, title }) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </select>
    </Frame>
  );
}

/** Yes or no. */
export function CheckField({
  label,
  hint,
  ...rest
}: { label: string; hint?: string } & InputHTMLAttributes<HTMLInputElement>): ReactNode {
  const id = useId();
  return (
    <div className="flex items-start gap-2">
      <input
        {...rest}
        id={id}
        type="checkbox"
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        className="mt-0.5 size-4 accent-(--accent)"
      />
      <div>
        <label htmlFor={id}>{label}</label>
        {hint !== undefined && (
          <p id={`${id}-hint`} className="m-0 text-[13px] text-muted">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
