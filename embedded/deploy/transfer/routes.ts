/** The endpoints and queries behind `convex export` and `convex import`. */
import { convexToJson } from "convex/values";
import { HttpError, type HttpRequest, type Reply } from "../../http/request.js";
import type { Route } from "../../http/router.js";
import { httpLimits } from "../../http/limits.js";
import type { SystemQuery } from "../systemQueries.js";
import type { Exports } from "./exports.js";
import { finishUploadForm, type Imports, performForm } from "./imports.js";
import { transferLimits } from "./limits.js";

export type Transfer = { exports: Exports; imports: Imports };

const ZIP_PATH = /^\/api\/export\/zip\/\d{1,20}$/;

export function transferRoutes({ exports, imports }: Transfer): Route[] {
  const admin = (
    method: Route["method"],
    path: Route["path"],
    handle: (request: HttpRequest) => Promise<Reply>,
  ): Route => ({
    method,
    path,
    handle: async (request) => {
      await request.admin();
      return handle(request);
    },
  });
  return [
    admin("POST", "/api/export/request/zip", async (request) => {
      const includeStorage = request.url.searchParams.get("includeStorage") === "true";
      await exports.request({ includeStorage });
      return { json: {} };
    }),
    admin("GET", ZIP_PATH, async (request) => {
      const ts = request.url.pathname.split("/").at(-1) ?? "";
      const { body, bytes, name } = exports.open(BigInt(ts));
      return Promise.resolve({
        body,
        headers: {
          "content-type": "application/zip",
          "content-length": String(bytes),
          "content-disposition": `attachment; filename=${name}`,
        },
      });
    }),
    admin("POST", "/api/import/start_upload", async () =>
      Promise.resolve({ json: { uploadToken: imports.uploads.start() } }),
    ),
    admin("POST", "/api/import/upload_part", async (request) => {
      const token = request.url.searchParams.get("uploadToken") ?? "";
      const number = Number(request.url.searchParams.get("partNumber"));
      const bytes = await request.bytes(transferLimits.partBytesMax);
      return { json: imports.uploads.part(token, number, bytes) };
    }),
    admin("POST", "/api/import/finish_upload", async (request) => {
      const form = await request.json(finishUploadForm, httpLimits.callBytesMax);
      if (form.import.format !== "zip" && (form.import.tableName ?? "") === "") {
        throw new HttpError(400, "BadImport", "this format needs a table name");
      }
      return { json: { importId: await imports.finishUpload(form) } };
    }),
    admin("POST", "/api/perform_import", async (request) => {
      const { importId } = await request.json(performForm, httpLimits.callBytesMax);
      await imports.perform(importId);
      return { json: {} };
    }),
  ];
}

/** Queries under `_system/` by which the official CLI waits for the end. */
export function transferQueries({ exports, imports }: Transfer): [string, SystemQuery][] {
  return [
    ["_system/cli/exports:getLatest", ({ tx }) => convexToJson(exports.latest(tx))],
    [
      "_system/cli/queryImport:default",
      ({ tx, args }) => {
        const { importId } = performForm.parse(args);
        const row = imports.find(tx, importId);
        return row === null ? null : convexToJson(row);
      },
    ],
    ["_system/cli/queryImport:list", ({ tx }) => imports.list(tx).map((row) => convexToJson(row))],
  ];
}
