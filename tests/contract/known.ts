/** What the installed `convex` package knows and this backend does not answer, each with its reason. */
export type Unanswered = Readonly<Record<string, string>>;

export const SYSCALLS: Unanswered = {
  "1.0/signJwt": "signs with keys that only Convex Cloud keeps; the error says so",
  "1.0/createServiceToken": "for services of Convex Cloud; the error says so",
  "1.0/getServiceUrl": "for services of Convex Cloud; the error says so",
};

const MANAGEMENT = [
  "/create_personal_access_token",
  "/deployments/1",
  "/deployments/1/create_deploy_key",
  "/deployments/1/delete_deploy_key",
  "/projects/1",
  "/projects/1/create_deployment",
  "/projects/1/list_default_environment_variables",
  "/projects/1/update_default_environment_variables",
  "/teams",
  "/teams/1/create_project",
  "/teams/1/list_deployment_classes",
  "/teams/1/list_deployment_regions",
  "/teams/1/projects",
  "/teams/1/projects/1",
  "/teams/1/projects/1/deployment",
];

export const API_PATHS: Unanswered = {
  "/api/v1": "only the beginning of other paths, which are listed themselves",
  "/api/v11": "spending limits of Convex Cloud, which bills; there is nothing to limit here",
  "/api/current_deployment": "asked of the local dashboard, never of a deployment",
  "/api/debug_event": "sent in debug mode only, after a long disconnect; a refusal is only logged",
  "/api/run_test_function": "runs code that was never deployed (`run --inline-query`, MCP server)",
  "/api/shapes2": "guesses the shapes of documents, for the MCP server of the CLI",
  ...Object.fromEntries(
    MANAGEMENT.map((path) => [
      `/api/v1${path}`,
      "the management API of Convex Cloud, asked of another host: teams, projects, keys",
    ]),
  ),
};
