/** What the page is told where it is served: `/config.json` beside it. */
import * as z from "zod/mini";

const configSchema = z.object({
  /** Address of the deployment; left out: the page's own origin. */
  backendUrl: z.optional(z.url()),
});

/** Address of the deployment. Throws a sentence for whoever set the page up. */
export async function readBackendUrl(): Promise<string> {
  const response = await fetch("/config.json", { cache: "no-store" });
  if (!response.ok) {
    throw new Error(
      `/config.json answered ${response.status}. It must stand beside index.html and say {"backendUrl": "https://…"}.`,
    );
  }
  const parsed = configSchema.safeParse(await response.json());
  if (!parsed.success) {
    throw new Error(
      '/config.json must say {"backendUrl": "https://…"}, the deployment\'s address.',
    );
  }
  return parsed.data.backendUrl ?? location.origin;
}
