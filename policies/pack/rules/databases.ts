// Rules about databases.
import type { Inputs } from "../resource";
import type { Rule } from "../rule";

const PUBLIC = "has an address on the internet";
const NO_BACKUPS = "has no backups";

/** What is wrong with a database, by type. Azure makes backups of each. */
const WRONG: Readonly<Record<string, (inputs: Inputs) => readonly (string | false)[]>> = {
  // The provider makes no backups where it is not told.
  "aws:rds/instance:Instance": ({ publiclyAccessible, backupRetentionPeriod = 0 }) => [
    publiclyAccessible === true && PUBLIC,
    backupRetentionPeriod === 0 && NO_BACKUPS,
  ],
  "gcp:sql/databaseInstance:DatabaseInstance": ({ settings = {} }) => {
    const { ipConfiguration = {}, backupConfiguration = {} } = settings;
    return [
      ipConfiguration.ipv4Enabled !== false && PUBLIC,
      backupConfiguration.enabled !== true && NO_BACKUPS,
      !["ENCRYPTED_ONLY", "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"].includes(ipConfiguration.sslMode) &&
        "lets in who does not encrypt",
    ];
  },
  // A subnet is not known at a first preview, and need not be.
  "azure-native:dbforpostgresql:Server": ({ network = {} }) => [
    !("delegatedSubnetResourceId" in network) && network.publicNetworkAccess !== "Disabled" && PUBLIC,
  ],
};

/** Databases that the internet reaches, that speak in the clear, or of which there is no copy. */
export const databases: Rule = function* ({ type, inputs }) {
  for (const what of WRONG[type]?.(inputs) ?? []) if (what !== false) yield what;
};
