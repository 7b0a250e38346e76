/** What an attempt left behind, and how its files are fetched. */
import { useConvex, useQuery } from "convex/react";
import { useEffect, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import type { ArtifactView } from "../../../convex/protocol/artifact.js";
import { saveFile } from "../../lib/download.js";
import { readError } from "../../lib/errors.js";
import { tellFailed } from "../../ui/toast.js";
import type { JobId } from "./job.js";

/** At most 50, by name; undefined while they load. */
export function useArtifacts(jobId: JobId, attempt: number) {
  return useQuery(api.artifacts.list, { jobId, attempt });
}

/** Fetches an artifact and hands it to the browser to save; says so when that fails. */
export function useSaveArtifact(): (artifact: ArtifactView) => Promise<void> {
  const convex = useConvex();
  return async ({ artifactId, name }) => {
    try {
      const content = await fetchFile(await convex.query(api.artifacts.url, { artifactId }));
      saveFile(name, await content.blob());
    } catch (error) {
      tellFailed(`${name} could not be fetched`, readError(error).message);
    }
  };
}

export type Fetched = { text: string } | { problem: string };

/** The text of an artifact, fetched once; undefined while it is on its way, null when none is asked for. */
export function useArtifactText(artifact: ArtifactView | null): Fetched | null | undefined {
  const convex = useConvex();
  const artifactId = artifact?.artifactId;
  const [fetched, setFetched] = useState<{ of: string; is: Fetched } | null>(null);
  useEffect(() => {
    if (artifactId === undefined) return undefined;
    const abort = new AbortController();
    const read = async (): Promise<Fetched> => {
      const url = await convex.query(api.artifacts.url, { artifactId });
      return { text: await (await fetchFile(url, abort.signal)).text() };
    };
    read()
      .catch((error: unknown): Fetched => ({ problem: readError(error).message }))
      .then(
        (is) => {
          if (!abort.signal.aborted) setFetched({ of: artifactId, is });
        },
        () => undefined,
      );
    return () => {
      abort.abort();
    };
  }, [convex, artifactId]);
  if (artifactId === undefined) return null;
  return fetched?.of === artifactId ? fetched.is : undefined;
}

async function fetchFile(url: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(url, signal === undefined ? {} : { signal });
  if (!response.ok) throw new Error(`The file store answered ${response.status}.`);
  return response;
}
