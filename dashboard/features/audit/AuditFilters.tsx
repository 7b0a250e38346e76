import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import { Button, buttonLook } from "../../ui/Button.js";
import { TextField } from "../../ui/Field.js";
import type { AuditSearch } from "./search.js";

const FIELDS = [
  ["actor", "Who", "ada, executor:box, operator", "search"],
  ["action", "Action", "executor.revoked", "text"],
  ["target", "On", "user:ada", "text"],
  ["from", "From", "", "datetime-local"],
  ["to", "Until", "", "datetime-local"],
] as const;

/** Which lines are shown; it stands in the address. Mounted anew when that changes. */
export function AuditFilters({ search }: { search: AuditSearch }): ReactNode {
  const [typed, setTyped] = useState(search);
  const navigate = useNavigate();
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    const given = Object.entries(typed).filter(([, text]) => text !== undefined && text !== "");
    void navigate({ to: "/audit", search: Object.fromEntries(given) });
  };
  return (
    <form
      onSubmit={submit}
      role="search"
      aria-label="Filter the audit"
      className="mb-4 grid grid-cols-2 items-end gap-3 md:grid-cols-3 xl:grid-cols-[repeat(5,1fr)_auto]"
    >
      {FIELDS.map(([name, label, placeholder, type]) => (
        <TextField
          key={name}
          label={label}
          type={type}
          placeholder={placeholder}
          spellCheck={false}
          autoCapitalize="none"
          value={typed[name] ?? ""}
          onChange={(event) => {
            setTyped({ ...typed, [name]: event.target.value });
          }}
        />
      ))}
      <div className="flex gap-2">
        <Button type="submit" kind="primary">
          Filter
        </Button>
        {Object.values(search).some((text) => text !== undefined) && (
          <Link to="/audit" className={buttonLook("quiet")}>
            Clear
          </Link>
        )}
      </div>
    </form>
  );
}
