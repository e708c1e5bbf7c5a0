import type {
  CheckoutGatherer,
  CheckoutReader,
  CheckoutRequest,
  CheckoutSource,
  GatheredCheckout,
  SubmoduleSource,
} from '../../../core/checkout.ts';
import { GantryError } from '../../../core/errors.ts';
import { findGitLogin, type GitCredentials } from '../../../core/git-login.ts';
import { can } from '../../../core/permission.ts';
import { type Project, projectSlug } from '../../../core/project.ts';
import type { Stores } from '../../../core/unit-of-work.ts';
import { isReadByAllWhoRead } from '../../../core/visibility.ts';
import { runGit } from '../git.ts';
import { refNameProblem } from '../ref-name.ts';
import type { RepositoryFolders } from '../repository-folders.ts';
import { findLfsPointers } from './find-lfs-pointers.ts';
import { FetchFailure, type ForeignFetch, type ForeignRepositories } from './foreign-repositories.ts';
import { readGitmodules, type WrittenSubmodule } from './read-gitmodules.ts';
import { placeOfSubmodule, type SubmodulePlace } from './submodule-url.ts';

export interface GatherDeps {
  readonly stores: Pick<Stores, 'projects' | 'people'>;
  readonly folders: Pick<RepositoryFolders, 'ensure'>;
  readonly foreign: ForeignRepositories;
  readonly publicUrl: () => string;
  /** Logins of the project for other hosts. */
  readonly logins: (projectId: number) => Promise<readonly GitCredentials[]>;
}

/** What one checkout may have. */
const limits = { submodules: 100, depth: 8, timeMs: 30 * 60_000, namedFiles: 10 } as const;

/** What is looked into for submodules. */
interface Found {
  readonly folder: string;
  readonly commit: string;
  readonly url: string;
  /** Path below the top repository; empty = the top. */
  readonly path: string;
  readonly depth: number;
}

/** Gathers checkouts out of the projects of this Gantry and the repositories of other hosts. */
export function createCheckoutGatherer(deps: GatherDeps): CheckoutGatherer {
  return {
    gather: (request, note, signal) =>
      new Gathering(deps, request, note, AbortSignal.any([signal, AbortSignal.timeout(limits.timeMs)])).run(),
  };
}

class Gathering {
  readonly #deps: GatherDeps;
  readonly #request: CheckoutRequest;
  readonly #note: (line: string) => void;
  readonly #signal: AbortSignal;
  #logins: Promise<readonly GitCredentials[]> | undefined;

  constructor(deps: GatherDeps, request: CheckoutRequest, note: (line: string) => void, signal: AbortSignal) {
    this.#deps = deps;
    this.#request = request;
    this.#note = note;
    this.#signal = signal;
  }

  async run(): Promise<GatheredCheckout> {
    try {
      const { plan } = this.#request;
      const source = await this.#source();
      if (plan.lfsLine !== undefined) await this.#refusePointers(source, plan.lfsLine);
      return { source, submodules: plan.isRecursive ? await this.#submodules(source) : [] };
    } catch (error) {
      if (!this.#signal.aborted || error instanceof GantryError) throw error;
      const minutes = limits.timeMs / 60_000;
      throw new GantryError(
        'CHECKOUT_UNAVAILABLE',
        `Cannot gather the checkout: it was told to end, or took longer than ${minutes} minutes`,
        { cause: error },
      );
    }
  }

  /** What is checked out at the top: the commit of the event, or what the file names. */
  async #source(): Promise<CheckoutSource> {
    const { plan, source } = this.#request;
    if (plan.remote !== undefined) return this.#remote(plan.remote);
    if (plan.ref !== undefined) {
      const ref = wholeRef(plan.ref);
      const commit = isCommit(ref) ? ref : await this.#ownTip(source.folder, ref);
      if (commit === undefined || !(await isReachable(source.folder, commit)))
        throw refused(`Cannot check out "${plan.ref}": the project has no such reference`);
      return { ...source, commit, ref, branch: branchOf(ref, plan.branch) };
    }
    return plan.branch === undefined ? source : { ...source, branch: plan.branch };
  }

  async #remote(written: string): Promise<CheckoutSource> {
    const { plan, source } = this.#request;
    const subject = `Cannot check out ${plainUrl(written)}`;
    const place = placeOfSubmodule(written, source.remoteUrl, this.#deps.publicUrl());
    const ref = plan.ref ?? (plan.branch === undefined ? 'HEAD' : `refs/heads/${plan.branch}`);
    const wanted = ref === 'HEAD' ? ref : wholeRef(ref);
    if (place.kind === 'own') {
      const { folder, url, project } = await this.#ownProject(place, subject);
      const named = wanted === 'HEAD' ? `refs/heads/${project.defaultBranch}` : wanted;
      const commit = isCommit(named) ? named : await this.#ownTip(folder, named);
      if (commit === undefined || !(await isReachable(folder, commit)))
        throw refused(`${subject}: it has no "${plan.ref ?? plan.branch ?? project.defaultBranch}"`);
      return { folder, remoteUrl: url, commit, ref: named, branch: branchOf(named, plan.branch) };
    }
    const { url } = foreignOf(place, subject);
    const fetched = await this.#fetch(url, isCommit(wanted) ? { commit: wanted } : { ref: wanted }, subject);
    return { ...fetched, remoteUrl: url.href, ref: wanted, branch: branchOf(wanted, plan.branch) };
  }

  async #submodules(source: CheckoutSource): Promise<readonly SubmoduleSource[]> {
    const gathered: SubmoduleSource[] = [];
    const open: Found[] = [{ folder: source.folder, commit: source.commit, url: source.remoteUrl, path: '', depth: 0 }];
    for (let found = open.shift(); found; found = open.shift()) {
      for (const written of await readGitmodules(found.folder, found.commit)) {
        const path = found.path === '' ? written.path : `${found.path}/${written.path}`;
        if (gathered.length >= limits.submodules)
          throw refused(`Cannot check out the submodules: there are more than ${limits.submodules}`);
        if (found.depth >= limits.depth)
          throw refused(`Cannot check out the submodule "${path}": it is more than ${limits.depth} levels down`);
        const { folder, url } = await this.#submodule(written, path, found.url);
        const { commit, name } = written;
        gathered.push({ name, path, parent: found.path, folder, commit, remoteUrl: url });
        open.push({ folder, commit, url, path, depth: found.depth + 1 });
      }
    }
    return gathered;
  }

  async #submodule(
    { name, url: written, commit }: WrittenSubmodule,
    path: string,
    parentUrl: string,
  ): Promise<{ readonly folder: string; readonly url: string }> {
    const { plan, source } = this.#request;
    const override = plan.overrides?.[name];
    const given = override ?? written;
    const subject = `Cannot check out the submodule "${path}" (${plainUrl(given)})`;
    const place = placeOfSubmodule(
      given,
      override === undefined ? parentUrl : source.remoteUrl,
      this.#deps.publicUrl(),
    );
    if (place.kind === 'own') {
      const { folder, url } = await this.#ownProject(place, subject);
      if (!(await isReachable(folder, commit)))
        throw refused(
          `${subject}: ${url} has no commit ${commit}. Push the commit there, or point the submodule to another`,
        );
      return { folder, url };
    }
    const { url } = foreignOf(place, subject);
    const { folder } = await this.#fetch(url, { commit }, subject);
    return { folder, url: url.href };
  }

  /** Whether there is one that they may not read is not told. */
  async #ownProject(
    { owner, name }: Extract<SubmodulePlace, { kind: 'own' }>,
    subject: string,
  ): Promise<{ readonly folder: string; readonly url: string; readonly project: Project }> {
    const { stores, folders, publicUrl } = this.#deps;
    const { projectId } = this.#request;
    const slug = `${owner}/${name}`;
    const project = await stores.projects.findBySlug(owner, name);
    if (!project || !(await this.#mayAllRead(project))) throw refused(`${subject}: ${this.#hintFor(slug)}`);
    const folder = await folders.ensure(project);
    if (project.id === projectId) return { folder, url: this.#request.source.remoteUrl, project };
    return { folder, url: `${publicUrl()}/${projectSlug(project)}.git`, project };
  }

  /** The same words whoever may not read it, and where there is nothing to be read. */
  #hintFor(slug: string): string {
    const { readers } = this.#request;
    if (readers.some(({ personId }) => personId === undefined))
      return `there is no project ${slug} that all who may read this one may read too, and nobody in particular caused this run. Let somebody start it, or make ${slug} as visible as this project`;
    const who = [...new Set(readers.map(({ personName }) => personName))].join(' or ');
    return readers.some(({ tokenProjectIds }) => tokenProjectIds)
      ? `there is no project ${slug}, or ${who} may not read it by a token that is limited to some projects. Use one that reaches ${slug}, or change the URL`
      : `there is no project ${slug}, or ${who} may not read it. Give ${who} the role "read" there, or change the URL`;
  }

  async #mayAllRead(project: Project): Promise<boolean> {
    if (project.id === this.#request.projectId) return true;
    for (const reader of this.#request.readers) if (!(await this.#mayRead(project, reader))) return false;
    return true;
  }

  async #mayRead(project: Project, { personId, tokenProjectIds }: CheckoutReader): Promise<boolean> {
    const { projects, people } = this.#deps.stores;
    const { projectId } = this.#request;
    // Beyond its token a run may read what all may who read the project.
    const isBeyondToken = tokenProjectIds !== undefined && !tokenProjectIds.includes(project.id);
    if (personId === undefined || isBeyondToken) {
      const own = await projects.find(projectId);
      return own !== undefined && isReadByAllWhoRead(project, own);
    }
    const person = await people.find(personId);
    if (!person) return false;
    const decision = can({ kind: 'person', person, via: 'session', credentialId: '', scopes: ['*'] }, 'code:read', {
      on: 'project',
      id: project.id,
      slug: projectSlug(project),
      visibility: project.visibility,
      isArchived: project.archivedAt !== undefined,
      role: await projects.roleOf(project.id, person.id),
    });
    return decision.allowed;
  }

  async #fetch(
    url: URL,
    wanted: ForeignFetch['wanted'],
    subject: string,
  ): Promise<{ readonly folder: string; readonly commit: string }> {
    const { mayUseLogins, plan, projectId } = this.#request;
    const credentials = mayUseLogins ? findGitLogin(await this.#allLogins(), url) : undefined;
    const skipsVerify = plan.skipsVerify === true;
    try {
      return await this.#deps.foreign.fetch(
        { projectId, url, credentials, wanted, skipsVerify, signal: this.#signal },
        () => this.#note(`Fetching ${url.href}${credentials ? ` as ${credentials.username}` : ''}`),
      );
    } catch (error) {
      if (!(error instanceof FetchFailure)) throw error;
      const because = `${subject}: ${url.host} ${error.kind === 'login' ? this.#loginHint(error, url) : error.message}`;
      throw new GantryError(error.kind === 'unavailable' ? 'CHECKOUT_UNAVAILABLE' : 'CHECKOUT_REFUSED', because);
    }
  }

  #loginHint({ message }: FetchFailure, url: URL): string {
    if (!this.#request.mayUseLogins)
      return `${message}, and this run is given no login: its work is not trusted. Somebody who may approve it can let it have secrets`;
    const host = url.protocol === 'https:' ? url.host : `${url.hostname}:${url.port || '80'}`;
    return `${message}. Keep one in the settings under "Git logins", or with: gantry git-login set ${host} --username NAME`;
  }

  #allLogins(): Promise<readonly GitCredentials[]> {
    this.#logins ??= this.#deps.logins(this.#request.projectId);
    return this.#logins;
  }

  async #ownTip(folder: string, revision: string): Promise<string | undefined> {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`];
    const answer = await runGit(args, { repository: folder });
    return answer.exitCode === 0 ? answer.stdout.toString('latin1').trim() : undefined;
  }

  async #refusePointers({ folder, commit }: CheckoutSource, line: number): Promise<void> {
    const paths = await findLfsPointers(folder, commit, limits.namedFiles + 1);
    if (paths.length === 0) return;
    const named = paths.slice(0, limits.namedFiles).join(', ');
    const more = paths.length > limits.namedFiles ? ' and more' : '';
    throw refused(
      `Cannot check out the content of LFS that "lfs" in line ${line} asks for: Gantry has no store for it, and these files are pointers: ${named}${more}. Put their content into the repository, or write "lfs: false" and fetch it in a step from where it lies`,
    );
  }
}

/** A commit that no reference leads to is nobody's to read: it may be what somebody has taken back. */
async function isReachable(folder: string, commit: string): Promise<boolean> {
  const args = [
    'for-each-ref',
    '--count=1',
    '--format=x',
    `--contains=${commit}`,
    'refs/heads',
    'refs/tags',
    'refs/pull',
  ];
  const answer = await runGit(args, { repository: folder });
  return answer.exitCode === 0 && answer.stdout.length > 0;
}

function isCommit(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** What a setting names: a commit, a whole reference, or a branch. */
function wholeRef(written: string): string {
  if (isCommit(written)) return written;
  const ref = written.startsWith('refs/') ? written : `refs/heads/${written}`;
  const problem = ref.startsWith('refs/pull/') ? undefined : refNameProblem(ref);
  if (problem !== undefined || /[\s:*^~?[\\]|\.\./.test(ref))
    throw refused(`Cannot check out "${plainUrl(written)}": ${problem ?? 'that is no reference'}`);
  return ref;
}

function branchOf(ref: string, branch: string | undefined): string | undefined {
  return branch ?? (/^refs\/heads\/(.+)$/.exec(ref)?.[1] || undefined);
}

function foreignOf(place: SubmodulePlace, subject: string): Extract<SubmodulePlace, { kind: 'foreign' }> {
  if (place.kind === 'foreign') return place;
  throw refused(`${subject}: the URL ${place.kind === 'refused' ? place.because : 'names a project of this Gantry'}`);
}

function refused(message: string): GantryError {
  return new GantryError('CHECKOUT_REFUSED', message);
}

/** A text of the repository, as it may stand in a log: on one line, and without a password. */
function plainUrl(text: string): string {
  return text
    .replaceAll(/[\u0000-\u001f\u007f]+/g, ' ')
    .replace(/\/\/[^/@\s]*@/, '//')
    .slice(0, 300);
}
