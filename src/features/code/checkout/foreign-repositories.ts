import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { GantryError } from '../../../core/errors.ts';
import type { GitCredentials } from '../../../core/git-login.ts';
import type { AddressGuard } from '../../../lib/address-guard.ts';
import { judgedAddresses, NoAnswer } from '../../../lib/guarded-request.ts';
import { formatSize } from '../../../lib/size.ts';
import { type GitAnswer, git, runGit } from '../git.ts';
import { ownerVariable } from '../git-process.ts';
import { KeyedLocks } from '../keyed-locks.ts';

export interface ForeignRepositoriesDeps {
  /** Where they are kept: one folder for each project, since what one may fetch another may not see. */
  readonly root: string;
  /** For which repositories its git works: the next server ends what this one left running. */
  readonly owner: string;
  readonly guard: AddressGuard;
  /** Certificates to trust instead of the system's. */
  readonly caBundle?: string | undefined;
  /** `https_proxy` and the like. */
  readonly proxyVariables?: Readonly<Record<string, string>> | undefined;
  readonly limits?: Partial<ForeignLimits> | undefined;
}

export interface ForeignLimits {
  /** Of one fetch. */
  readonly packBytes: number;
  readonly fetchMs: number;
  /** What nobody has fetched for so long is removed. */
  readonly keepMs: number;
}

export interface ForeignFetch {
  readonly projectId: number;
  readonly url: URL;
  readonly credentials: GitCredentials | undefined;
  /** A commit, or a reference (`HEAD`, `refs/heads/main`) for whose tip is asked. */
  readonly wanted: { readonly commit: string } | { readonly ref: string };
  readonly skipsVerify: boolean;
  readonly signal: AbortSignal;
}

/** Why a fetch failed, as the rest of a sentence that begins with the URL. */
export class FetchFailure extends Error {
  override readonly name = 'FetchFailure';
  /** `login`: it asks for one, or does not take the one that there is. `unavailable`: it may work another time. */
  readonly kind: 'login' | 'refused' | 'unavailable';

  constructor(kind: FetchFailure['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

const defaults: ForeignLimits = { packBytes: 2 * 2 ** 30, fetchMs: 15 * 60_000, keepMs: 30 * 86_400_000 };

/** Ways in which repositories of old are not quite right, and that do no harm. */
const tolerated = [
  'zeroPaddedFilemode',
  'missingSpaceBeforeDate',
  'badTimezone',
  'missingEmail',
  'badEmail',
  'badDate',
];

/**
 * Repositories of other hosts, fetched for checkouts and kept: a commit that is there costs no request. One that was fetched
 * with a login is apart from the same one without, so that nobody reads it who has the login no more.
 */
export class ForeignRepositories {
  readonly #deps: ForeignRepositoriesDeps;
  readonly #limits: ForeignLimits;
  readonly #locks = new KeyedLocks();

  constructor(deps: ForeignRepositoriesDeps) {
    this.#deps = deps;
    this.#limits = { ...defaults, ...deps.limits };
  }

  /** The bare repository that has the commit. `onFetch` is called before a request is made. Throws FetchFailure. */
  async fetch(
    request: ForeignFetch,
    onFetch: () => void,
  ): Promise<{ readonly folder: string; readonly commit: string }> {
    const { projectId, url, credentials, wanted } = request;
    const name = createHash('sha256')
      .update(JSON.stringify([url.href, credentials ? [credentials.host, credentials.username] : null]))
      .digest('hex')
      .slice(0, 32);
    const folder = join(this.#deps.root, String(projectId), `${name}.git`);
    const release = await this.#locks.acquire([folder]);
    try {
      request.signal.throwIfAborted();
      await this.#make(folder, 'commit' in wanted && wanted.commit.length === 64 ? 'sha256' : 'sha1');
      if ('commit' in wanted && (await tipOf(folder, keptRef(wanted.commit))) !== undefined)
        return { folder, commit: wanted.commit };
      onFetch();
      return { folder, commit: await this.#fetch(folder, request) };
    } finally {
      release();
    }
  }

  /** Removes what nobody has fetched for long. Answers how many. */
  async removeForgotten(nowMs: number): Promise<number> {
    let removed = 0;
    for (const project of await entriesOf(this.#deps.root)) {
      for (const name of await entriesOf(join(this.#deps.root, project))) {
        const folder = join(this.#deps.root, project, name);
        const release = await this.#locks.acquire([folder]);
        try {
          const { mtimeMs } = await stat(folder);
          if (nowMs - mtimeMs < this.#limits.keepMs) continue;
          await rm(folder, { recursive: true, force: true });
          removed += 1;
        } finally {
          release();
        }
      }
    }
    return removed;
  }

  /** Its time says when it was last used. */
  async #make(folder: string, format: 'sha1' | 'sha256'): Promise<void> {
    const now = new Date();
    const isThere = await utimes(folder, now, now).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    await mkdir(this.#deps.root, { recursive: true, mode: 0o700 });
    await git(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, folder]);
  }

  async #fetch(folder: string, request: ForeignFetch): Promise<string> {
    const { wanted } = request;
    if ('ref' in wanted) {
      const ref = `refs/fetched/${createHash('sha256').update(wanted.ref).digest('hex').slice(0, 32)}`;
      const answer = await this.#run(folder, request, [`+${wanted.ref}:${ref}`]);
      if (answer.exitCode !== 0) throw this.#failure(answer, request);
      const commit = (await tipOf(folder, `${ref}^{commit}`)) ?? '';
      await git(['update-ref', keptRef(commit), commit], { repository: folder });
      return commit;
    }
    const { commit } = wanted;
    const answer = await this.#run(folder, request, [`+${commit}:${keptRef(commit)}`]);
    if (answer.exitCode === 0) return commit;
    // Old servers serve what a reference reads and nothing else: then all of them are asked for.
    if (
      !/not our ref|unadvertised object|does not allow request|no such ref|couldn't find remote ref/i.test(
        answer.stderr,
      )
    )
      throw this.#failure(answer, request);
    const all = await this.#run(folder, request, ['+refs/heads/*:refs/from/heads/*', '+refs/tags/*:refs/from/tags/*']);
    if (all.exitCode !== 0) throw this.#failure(all, request);
    if ((await tipOf(folder, `${commit}^{commit}`)) === undefined)
      throw new FetchFailure('refused', `has no commit ${commit}`);
    await git(['update-ref', keptRef(commit), commit], { repository: folder });
    return commit;
  }

  async #run(folder: string, request: ForeignFetch, refspecs: readonly string[]): Promise<GitAnswer> {
    const { url, signal } = request;
    const args = [
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--no-auto-maintenance',
    ];
    try {
      return await runGit([...args, '--end-of-options', url.href, ...refspecs], {
        repository: folder,
        environment: await this.#environment(request),
        // The transport is a program of its own, which waits for its host for as long as that is silent.
        isDetached: true,
        timeoutMs: this.#limits.fetchMs,
        maxFileBytes: this.#limits.packBytes,
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof GantryError && error.code === 'GIT_FAILED')
        throw new FetchFailure('unavailable', `did not answer within ${this.#limits.fetchMs / 60_000} minutes`);
      throw error;
    }
  }

  /** Everything that git is told, the login included, is in its environment: neither in its arguments nor on a disk. */
  async #environment({ url, credentials, skipsVerify }: ForeignFetch): Promise<Record<string, string>> {
    const { caBundle, proxyVariables = {} } = this.#deps;
    const settings: [string, string][] = [
      // A redirect leads to addresses that nobody has judged.
      ['http.followRedirects', 'false'],
      ['http.lowSpeedLimit', '100'],
      ['http.lowSpeedTime', '60'],
      ['fetch.fsckObjects', 'true'],
      ...tolerated.map((id): [string, string] => [`fetch.fsck.${id}`, 'ignore']),
      ['core.hooksPath', '/dev/null'],
      ['gc.auto', '0'],
    ];
    const address = await this.#pinnedAddress(url);
    if (address !== undefined) settings.push(['http.curloptResolve', address]);
    if (caBundle !== undefined) settings.push(['http.sslCAInfo', caBundle]);
    if (skipsVerify) settings.push(['http.sslVerify', 'false']);
    if (credentials)
      settings.push([
        `credential.${url.protocol}//${url.host}.helper`,
        '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$GANTRY_GIT_USERNAME" "$GANTRY_GIT_PASSWORD"; }; f',
      ]);
    return {
      [ownerVariable]: this.#deps.owner,
      GIT_ALLOW_PROTOCOL: 'http:https',
      ...proxyVariables,
      ...(credentials ? { GANTRY_GIT_USERNAME: credentials.username, GANTRY_GIT_PASSWORD: credentials.password } : {}),
      GIT_CONFIG_COUNT: String(settings.length),
      ...Object.fromEntries(
        settings.flatMap(([key, value], index) => [
          [`GIT_CONFIG_KEY_${index}`, key],
          [`GIT_CONFIG_VALUE_${index}`, value],
        ]),
      ),
    };
  }

  /** What curl is to connect to: an address that was judged, whatever the name means a moment later. */
  async #pinnedAddress(url: URL): Promise<string | undefined> {
    const { guard, proxyVariables = {} } = this.#deps;
    const isProxied = Object.keys(proxyVariables).some(
      (name) => name.toLowerCase() === `${url.protocol}_proxy`.replace(':', ''),
    );
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // The proxy finds out where a name leads, and judges it.
    if (isProxied && isIP(host) === 0 && host !== 'localhost') return undefined;
    try {
      const addresses = await judgedAddresses({ url, guard });
      if (isIP(host) !== 0) return undefined;
      const port = url.port || (url.protocol === 'https:' ? '443' : '80');
      return `${host}:${port}:${addresses.map((each) => (isIP(each) === 6 ? `[${each}]` : each)).join(',')}`;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (error.reason === 'address-refused')
        throw new FetchFailure(
          'refused',
          `is not fetched: ${error.message}. An administrator opens such networks with GANTRY_GIT_ALLOW`,
        );
      throw new FetchFailure('unavailable', `is not reached: ${error.message}`);
    }
  }

  #failure({ stderr }: GitAnswer, { credentials, wanted }: ForeignFetch): FetchFailure {
    const said = words(stderr);
    if (/could not read (?:username|password)|authentication failed|returned error: 40[13]/i.test(stderr))
      return new FetchFailure(
        'login',
        credentials
          ? `does not take the login "${credentials.username}" that is kept for ${credentials.host}`
          : 'asks for a login',
      );
    if (/couldn't find remote ref/i.test(stderr))
      return new FetchFailure('refused', `has no reference "${'ref' in wanted ? wanted.ref : wanted.commit}"`);
    if (/signal 25|file size limit exceeded|file too large/i.test(stderr))
      return new FetchFailure('refused', `is larger than ${formatSize(this.#limits.packBytes)}`);
    if (/returned error: 30\d|unable to update url base from redirection/i.test(stderr))
      return new FetchFailure('refused', `is redirected: write the address that it leads to (${said})`);
    if (/certificate|ssl/i.test(stderr))
      return new FetchFailure('refused', `has a certificate that is not trusted (${said})`);
    if (/not found|returned error: 404|fsck|error in object|not valid|object format/i.test(stderr))
      return new FetchFailure('refused', `cannot be fetched: ${said}`);
    return new FetchFailure('unavailable', `cannot be fetched: ${said}`);
  }
}

/** That all of the commit is there: written when its fetch has ended. */
function keptRef(commit: string): string {
  return `refs/kept/${commit}`;
}

async function tipOf(repository: string, revision: string): Promise<string | undefined> {
  const answer = await runGit(['rev-parse', '--verify', '--quiet', '--end-of-options', revision], { repository });
  return answer.exitCode === 0 ? answer.stdout.toString('latin1').trim() : undefined;
}

/** What git said at last, as one line. */
function words(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  return lines
    .slice(-2)
    .join(' ')
    .replaceAll(/[\u0000-\u001f\u007f]+/g, ' ')
    .slice(-400);
}

async function entriesOf(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
