// The APIs of Google Cloud that a project must have enabled for the mesh.
import * as gcp from "@pulumi/gcp";
import type * as pulumi from "@pulumi/pulumi";

/**
 * With this API the provider looks at the project once it has enabled any (google_project_service, resourceGoogleProjectServiceRead).
 * It enables by the Service Usage API, which a project must have as it has from the console.
 */
const PROJECT_API = "cloudresourcemanager";

/**
 * The other APIs that the mesh calls; a new project has them disabled. Names of agents, in mode vpn, are in Cloud DNS. With
 * GKE's own come those that its nodes need: registry, logs, metrics
 * (https://cloud.google.com/kubernetes-engine/docs/how-to/service-accounts).
 */
const APIS = ["compute", "container", "dns", "iam"];

/** That of Cloud SQL. */
const DATABASE_API = "sqladmin";

/**
 * Enables what the mesh needs in the provider's project, and leaves it enabled: others may need it by then, too.
 *
 * @param database whether it has a database there. Default: false.
 */
export function enableApis(
  name: string,
  opts: pulumi.CustomResourceOptions,
  database = false,
): gcp.projects.Service[] {
  const enable = (api: string, dependsOn: pulumi.Resource[]) =>
    new gcp.projects.Service(
      `${name}-api-${api}`,
      { service: `${api}.googleapis.com`, disableOnDestroy: false },
      { ...opts, dependsOn },
    );
  const projectApi = enable(PROJECT_API, []);
  return [...APIS, ...(database ? [DATABASE_API] : [])].map((api) => enable(api, [projectApi]));
}
