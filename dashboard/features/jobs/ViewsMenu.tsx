import { useNavigate } from "@tanstack/react-router";
import { Bookmark, Save, Trash2 } from "lucide-react";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import { useMe } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { Dialog } from "../../ui/Dialog.js";
import { TextField } from "../../ui/Field.js";
import { Menu } from "../../ui/Menu.js";
import { tellDone } from "../../ui/toast.js";
import type { JobsSearch } from "./search.js";
import { systemViews, useSavedViews, VIEW_NAME_CHARS_MAX, type View } from "./views.js";

/** Opens a named filter; names the current one. */
export function ViewsMenu({ search }: { search: JobsSearch }): ReactNode {
  const navigate = useNavigate();
  const { username } = useMe();
  const { views, save, remove } = useSavedViews();
  const [isNaming, setNaming] = useState(false);
  const current = views.find((view) => JSON.stringify(view.search) === JSON.stringify(search));
  const open = (view: View) => ({
    title: view.name,
    icon: <Bookmark size={15} aria-hidden />,
    onChoose: () => void navigate({ to: "/jobs", search: view.search }),
  });
  return (
    <>
      <Menu
        trigger={<Button icon={<Bookmark size={15} aria-hidden />}>Views</Button>}
        entries={[
          ...systemViews(username).map(open),
          ...views.map(open),
          {
            title: "Save this view…",
            icon: <Save size={15} aria-hidden />,
            onChoose: () => {
              setNaming(true);
            },
          },
          ...(current === undefined
            ? []
            : [
                {
                  title: `Forget “${current.name}”`,
                  icon: <Trash2 size={15} aria-hidden />,
                  onChoose: () => {
                    remove(current.name);
                  },
                },
              ]),
        ]}
      />
      <Dialog
        title="Save this view"
        open={isNaming}
        onClose={() => {
          setNaming(false);
        }}
      >
        <NameForm
          onName={(name) => {
            save({ name, search });
            setNaming(false);
            tellDone(`View “${name}” saved`, "It is kept in this browser.");
          }}
        />
      </Dialog>
    </>
  );
}

function NameForm({ onName }: { onName: (name: string) => void }): ReactNode {
  const [name, setName] = useState("");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (name.trim() !== "") onName(name.trim());
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <TextField
        label="Name"
        hint="The filters stand in the address too: a link is as good."
        required
        autoFocus
        maxLength={VIEW_NAME_CHARS_MAX}
        value={name}
        onChange={(event) => {
          setName(event.target.value);
        }}
      />
      <Button kind="primary" type="submit">
        Save
      </Button>
    </form>
  );
}
