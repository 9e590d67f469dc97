// Which images a plan runs, and where.
import { podsOf } from "../pods";
import type { Plan } from "../plan";
import { byClouds, sorted, type Table } from "../table";

/** Every image with the workloads that run it. */
export const imagesTable = ({ resources, clouds }: Plan): Table => {
  const used = new Map<string, Set<string>>();
  const rows = podsOf(resources).flatMap(({ resource, name, containers, spec }) =>
    [
      ...containers.map(({ image }) => image),
      ...(spec.volumes ?? []).flatMap(({ image }) => (image ? [image.reference] : [])),
    ].map((image) => {
      const names = used.get(image) ?? new Set();
      used.set(image, names.add(name));
      return [resource.cloud, image] as const;
    }),
  );
  return {
    key: "images",
    title: "Which images",
    head: ["image", "pinned by digest", "workloads", "clouds"],
    lists: true,
    rows: sorted(
      byClouds(rows, clouds).map(([image = "", ...having]) => [
        image,
        /@sha256:[0-9a-f]{64}$/.test(image) ? "yes" : "no",
        [...used.get(image)!].sort().join(", "),
        ...having,
      ]),
    ),
    none: "none",
  };
};
