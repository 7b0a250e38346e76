import type { ReactNode } from "react";
import { PROMPT_CHARS_MAX } from "../../../convex/protocol/limits.js";
import { formatCount } from "../../lib/format.js";
import { SelectField, TextArea, TextField } from "../../ui/Field.js";
import { renderTemplate } from "./form.js";
import type { FieldsProps } from "./JobForm.js";
import { useTemplates } from "./newJob.js";

/** The prompt, typed or from a template with its parameters. */
export function PromptFields({ form, problems, change }: FieldsProps): ReactNode {
  const templates = useTemplates() ?? [];
  const template = templates.find(({ name }) => name === form.template);
  return (
    <div className="flex flex-col gap-4">
      {templates.length > 0 && (
        <SelectField
          label="Template"
          value={form.template}
          options={[
            { value: "", title: "None: type the prompt" },
            ...templates.map(({ name, version }) => ({
              value: name,
              title: `${name} (version ${version})`,
            })),
          ]}
          onChange={(event) => {
            change({ template: event.target.value, parameters: {} });
          }}
        />
      )}
      {template === undefined ? (
        <TextArea
          label="Prompt"
          hint={`What is to be done, and how one sees that it is. ${formatCount(form.prompt.length)} of ${formatCount(PROMPT_CHARS_MAX)} characters.`}
          rows={9}
          required
          maxLength={PROMPT_CHARS_MAX}
          value={form.prompt}
          problem={problems.prompt}
          onChange={(event) => {
            change({ prompt: event.target.value });
          }}
        />
      ) : (
        <>
          {template.parameters.map((name) => (
            <TextField
              key={name}
              label={name}
              required
              value={form.parameters[name] ?? ""}
              onChange={(event) => {
                change({ parameters: { ...form.parameters, [name]: event.target.value } });
              }}
            />
          ))}
          <figure className="m-0">
            <figcaption className="mb-1 text-[13px] text-muted">
              What the job will be told
            </figcaption>
            <pre
              tabIndex={0}
              className="m-0 max-h-72 overflow-auto rounded-md border border-line bg-raised p-3 font-mono text-[13px] whitespace-pre-wrap"
            >
              {renderTemplate(template.text, form.parameters)}
            </pre>
          </figure>
        </>
      )}
    </div>
  );
}
