// Series of Prometheus by their names and labels, and what they say of pods. Pure.
import { LABELS } from "../../components/observability/rules/names";
import type { Sample } from "../prometheus";

/** Series by their names. */
export class Series {
  readonly #byName = new Map<string, Sample[]>();

  constructor(samples: readonly Sample[]) {
    for (const sample of samples) {
      const name = sample.labels["__name__"] ?? "";
      this.#byName.set(name, [...(this.#byName.get(name) ?? []), sample]);
    }
  }

  /** Those that have these labels. */
  all(name: string, labels: Readonly<Record<string, string>>): Sample[] {
    return (this.#byName.get(name) ?? []).filter((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  }

  /** The values that there are, each under its key. */
  values<K extends string>(names: Readonly<Record<K, string>>, labels: Readonly<Record<string, string>>) {
    return Object.fromEntries(
      Object.entries<string>(names).flatMap(([key, name]) => {
        const [first] = this.all(name, labels);
        return first ? [[key, first.value]] : [];
      }),
    ) as Partial<Record<K, number>>;
  }
}

/** Pods that answer Prometheus, of those that there should be. */
export interface TopPods {
  readonly up: number;
  readonly all: number;
}

/** A pod may have several ports that are read; it is up when all answer. */
export function podsOf(targets: readonly Sample[]): TopPods {
  const pods = new Map<string, boolean>();
  for (const { labels, value } of targets) {
    const pod = labels[LABELS.pod] ?? "";
    pods.set(pod, (pods.get(pod) ?? true) && value === 1);
  }
  return { up: [...pods.values()].filter(Boolean).length, all: pods.size };
}
