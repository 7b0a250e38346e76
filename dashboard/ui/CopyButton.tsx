import { Check, Copy } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { copyText } from "../lib/clipboard.js";
import { IconButton } from "./Button.js";
import { tellFailed } from "./toast.js";

const SHOWN_MS = 1_500;

/** Copies a text, on plain http too. `name` is what it copies: "Copy job id". */
export function CopyButton({ text, name }: { text: string; name: string }): ReactNode {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => {
      setCopied(false);
    }, SHOWN_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [isCopied]);
  const copy = async (): Promise<void> => {
    if (await copyText(text)) setCopied(true);
    else tellFailed("Not copied", "The browser refused; select the text and copy it by hand.");
  };
  return (
    <>
      <IconButton
        name={name}
        icon={isCopied ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
        onClick={() => void copy()}
      />
      <span role="status" className="sr-only">
        {isCopied ? "Copied" : ""}
      </span>
    </>
  );
}
