// Until when providers support Kubernetes' minor versions. Dates are told and never compared with today's: the same configuration is judged alike every day.

/** A provider's calendar of versions. */
export interface SupportCalendar {
  /** What ends then, for example `standard support`. */
  readonly what: string;
  /** Day or month in which it ends, by minor version. */
  readonly until: Readonly<Record<string, string>>;
  /** Where the dates are from, and those of versions that are not here. */
  readonly source: string;
}

/** Afterwards a cluster of this program, which pays for no extended support, is upgraded by EKS. */
export const EKS_SUPPORT: SupportCalendar = {
  what: "standard support",
  until: { "1.32": "2026-03-23", "1.33": "2026-07-29", "1.34": "2026-12-02", "1.35": "2027-03-27" },
  source: "https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html",
};

/** Twelve months from general availability: June 2025 for 1.33, March 2026 for 1.35. */
export const AKS_SUPPORT: SupportCalendar = {
  what: "support",
  until: { "1.32": "2026-03", "1.33": "2026-06", "1.35": "2027-03" },
  source: "https://learn.microsoft.com/azure/aks/supported-kubernetes-versions",
};
