// What a test case of an alert is, and how cases are written.
import { HEALTHY, type SeriesTable } from "./rules-mesh";

/** A change to the healthy mesh, and what is then firing. */
export interface Case {
  readonly when: string;
  readonly series: SeriesTable;
  /** Minute at which it is looked. */
  readonly minute: number;
  /** Labels of what fires then, but for its name. Nothing, when left out. */
  readonly fires?: readonly string[];
}

/** Cases by the name of the alert. */
export type Cases = Readonly<Record<string, readonly Case[]>>;

/** All series of the healthy mesh that match, with other values. */
export const all = (pattern: RegExp, values: string): SeriesTable =>
  Object.fromEntries(
    Object.keys(HEALTHY)
      .filter((series) => pattern.test(series))
      .map((series) => [series, values]),
  );

export const warning = (labels: string) => `{severity="warning", ${labels}}`;
export const critical = (labels: string) => `{severity="critical", ${labels}}`;
/** At minute 5 it stops. */
export const UNTIL_MINUTE_5 = "1x5 0x200";
/** Labels of a pair that many cases are about. */
export const AWS_TO_GCP = 'cloud="aws", peer_cloud="gcp"';
