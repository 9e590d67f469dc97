// What registries say of an image, by the API that all of them speak: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

/** A repository of a registry. */
export interface Repository {
  /** As images name it, for example `docker.io`. */
  readonly registry: string;
  /** For example `library/node`. */
  readonly name: string;
}

/** A registry did not answer, or not in a way that says anything of an image. */
export class CannotAsk extends Error {}

/** Whole images: of all architectures, or of one where there is one. */
const MANIFESTS = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const LIMIT_MS = 20_000;
/** Pages of tags that are read at most: no repository of the program has half as many. */
const PAGES = 100;

/** Docker Hub's API is at another address than its name. */
const DOCKER_HUB: Readonly<Record<string, string>> = { "docker.io": "registry-1.docker.io" };

/** URL of a registry's API, without a slash at its end. */
export const apiOf = (registry: string) => `https://${DOCKER_HUB[registry] ?? registry}`;

async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(LIMIT_MS) });
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string } };
    throw new CannotAsk(`${new URL(url).host} cannot be reached (${cause?.code ?? message})`);
  }
}

/** A header such as `Bearer realm="https://auth.example.org/token",service="registry"` (RFC 6750). */
function challengeOf(header: string): Readonly<Record<string, string>> | undefined {
  if (!/^bearer /i.test(header)) return undefined;
  return Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!]));
}

/** Asks one registry, as nobody in particular. */
export class Registry {
  /** By repository. */
  readonly #tokens = new Map<string, string>();

  /** @param api URL of a registry's API. Default: where the registry has it. */
  constructor(private readonly api: (registry: string) => string = apiOf) {}

  /** Digest that a tag or digest has there; undefined when there is no such image. */
  async digest(repository: Repository, reference: string): Promise<string | undefined> {
    const url = `${this.#url(repository)}/manifests/${reference}`;
    const answer = await this.#ask(repository, url, { method: "HEAD", headers: { accept: MANIFESTS } });
    if (answer.status === 404) return undefined;
    const digest = answer.headers.get("docker-content-digest");
    if (!answer.ok || digest === null) throw this.#unclear(answer, url);
    return digest;
  }

  /** All tags of a repository. */
  async tags(repository: Repository): Promise<string[]> {
    const tags: string[] = [];
    let url: string | undefined = `${this.#url(repository)}/tags/list?n=1000`;
    for (let page = 0; url !== undefined; page += 1) {
      if (page === PAGES) throw new CannotAsk(`${new URL(url).host} has more tags of it than can be read`);
      const answer: Response = await this.#ask(repository, url);
      if (!answer.ok) throw this.#unclear(answer, url);
      const body = (await answer.json().catch(() => undefined)) as { tags?: string[] | null } | undefined;
      if (body === undefined) throw this.#unclear(answer, url);
      tags.push(...(body.tags ?? []));
      const next: string | undefined = /<([^>]+)>\s*;\s*rel="?next/.exec(
        answer.headers.get("link") ?? "",
      )?.[1];
      url = next && new URL(next, url).href;
    }
    return tags;
  }

  #url({ registry, name }: Repository): string {
    return `${this.api(registry)}/v2/${name}`;
  }

  /** Asks, with a token if the registry wants one: it gives it to everybody for what is public. */
  async #ask({ registry, name }: Repository, url: string, init: RequestInit = {}): Promise<Response> {
    const key = `${registry}/${name}`;
    const send = () => {
      const token = this.#tokens.get(key);
      const headers = { ...init.headers, ...(token && { authorization: `Bearer ${token}` }) };
      return ask(url, { ...init, headers });
    };
    const answer = await send();
    const challenge = challengeOf(answer.headers.get("www-authenticate") ?? "");
    if (answer.status !== 401 || challenge?.["realm"] === undefined || this.#tokens.has(key)) return answer;
    const realm = new URL(challenge["realm"]);
    realm.searchParams.set("scope", challenge["scope"] ?? `repository:${name}:pull`);
    if (challenge["service"]) realm.searchParams.set("service", challenge["service"]);
    const given = await ask(realm.href);
    const { token, access_token: other } = (given.ok ? await given.json().catch(() => ({})) : {}) as {
      token?: string;
      access_token?: string;
    };
    if ((token ?? other) === undefined) throw this.#unclear(given, realm.href);
    this.#tokens.set(key, (token ?? other)!);
    return send();
  }

  #unclear({ status, headers }: Response, url: string): CannotAsk {
    const { host } = new URL(url);
    if (status === 429) {
      const wait = headers.get("retry-after");
      return new CannotAsk(`${host} has been asked too often${wait ? `; it asks to wait ${wait} s` : ""}`);
    }
    if (status === 401 || status === 403)
      return new CannotAsk(`${host} wants a login, or has no such repository (${status})`);
    return new CannotAsk(`${host} answered ${status}`);
  }
}
