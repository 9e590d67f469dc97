// Where clouds are: an address of this machine's loopback network, or a number in a world.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";

const API_SERVER_PORT = 6443;
/** Number of clouds that a world has room for. */
const LAST_INDEX = 200;

/** Names of the clouds that have state under `root`. */
export function knownClouds(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root).filter((name) => existsSync(path.join(root, name, "cloud.json")));
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/**
 * A /24 of loopback addresses that no other cloud uses; the cloud's own address is its first. The second octet comes from
 * the folder of the rehearsal, so that rehearsals of several checkouts keep out of each other's way.
 */
async function freeAddress(root: string, taken: Set<string>): Promise<string> {
  const second = 1 + (createHash("sha256").update(root).digest()[0]! % 254);
  for (let third = 11; third < 250; third++) {
    const address = `127.${second}.${third}.1`;
    if (taken.has(address)) continue;
    taken.add(address);
    if (await isFree(address, API_SERVER_PORT)) return address;
  }
  throw new Error(
    `no loopback address from 127.${second}.11.1 to 127.${second}.249.1 has port ${API_SERVER_PORT} free`,
  );
}

/** Where a cloud is: an address and, in a world, its number there. */
export interface Place {
  readonly address: string;
  readonly world?: { readonly dir: string; readonly index: number };
}

/** The cloud's place of an earlier life, which its certificates and kubeconfig are made for. */
function earlierPlace(dir: string): Place | undefined {
  const file = path.join(dir, "cloud.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Place) : undefined;
}

/** The first place in a world that no other cloud has; the address is that of rehearsal/cloud/internal/network. */
function freePlace(root: string, world: string, taken: Set<string>): Place {
  const addresses = knownClouds(root).map((name) => earlierPlace(path.join(root, name))?.address);
  for (let index = 1; index <= LAST_INDEX; index++) {
    const address = `10.201.${index}.1`;
    if (taken.has(address) || addresses.includes(address)) continue;
    taken.add(address); // at once: clouds start side by side
    return { address, world: { dir: world, index } };
  }
  throw new Error(`a world has room for ${LAST_INDEX} clouds`);
}

/**
 * The place of the cloud in `dir`: the one it had, else a free one. `taken` are addresses in use, and grows.
 *
 * @param world directory of the world in which it has a network of its own; default: it is on loopback.
 */
export async function placeOf(dir: string, taken: Set<string>, world?: string): Promise<Place> {
  const root = path.dirname(dir);
  const free = async () =>
    world ? freePlace(root, world, taken) : { address: await freeAddress(root, taken) };
  const place = earlierPlace(dir) ?? (await free());
  taken.add(place.address);
  return place;
}
