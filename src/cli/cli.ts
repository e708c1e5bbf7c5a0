import { type Client, createClient } from '../api/client.ts';
import { GantryError } from '../core/errors.ts';
import { terminalLanguage } from '../lib/terminal-language.ts';
import type { CliIo } from './cli-io.ts';
import { type CloneFacts, currentBranch, readClone } from './clone.ts';
import { type Hosts, hostsPath, readHosts } from './hosts-file.ts';
import { Output } from './output.ts';
import { Questions } from './questions.ts';
import type { Texts } from './texts.en.ts';

export type Language = 'en' | 'zh';

/** Options that stand before or after any command. */
export interface GlobalOptions {
  readonly url?: string | undefined;
  readonly input: boolean;
}

/** A Gantry that is meant, and how to ask it. */
export interface Session {
  /** Address without a slash at its end. */
  readonly url: string;
  readonly token: string | undefined;
  readonly client: Client;
  /** For what is no operation: logs and streams. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ProjectParams {
  readonly owner: string;
  readonly project: string;
}

/** What each command is given. */
export class Cli {
  readonly io: CliIo;
  readonly language: Language;
  readonly texts: Texts;
  readonly out: Output;
  readonly ask: Questions;
  #options: GlobalOptions = { input: true };
  #clone: Promise<CloneFacts | undefined> | undefined;

  static async create(io: CliIo): Promise<Cli> {
    const language = terminalLanguage(io.environment);
    const texts = language === 'zh' ? (await import('./texts.zh.ts')).textsZh : (await import('./texts.en.ts')).textsEn;
    return new Cli(io, language, texts);
  }

  private constructor(io: CliIo, language: Language, texts: Texts) {
    this.io = io;
    this.language = language;
    this.texts = texts;
    this.out = new Output(io);
    this.ask = new Questions(io, this.texts, () => this.#options.input);
  }

  set options(options: GlobalOptions) {
    this.#options = options;
  }

  get hostsFile(): string {
    return hostsPath(this.io.environment);
  }

  /** Which Gantry is meant, and where that is said: flag, environment, clone, last sign-in. */
  async address(): Promise<{ readonly url: string; readonly source: string } | undefined> {
    const { environment } = this.io;
    if (this.#options.url !== undefined) return { url: this.cleanUrl(this.#options.url), source: '--url' };
    if (environment['GANTRY_URL']) return { url: this.cleanUrl(environment['GANTRY_URL']), source: 'GANTRY_URL' };
    const hosts = readHosts(this.hostsFile);
    const clone = await this.clone();
    if (clone && hosts.hosts[clone.url]) return { url: clone.url, source: 'clone' };
    return hosts.current === undefined ? undefined : { url: hosts.current, source: this.hostsFile };
  }

  /** The Gantry that is meant. Refuses with SIGN_IN_REQUIRED when nothing names one, or there is no token for it. */
  async connect(): Promise<Session> {
    const address = await this.address();
    if (!address) throw new GantryError('SIGN_IN_REQUIRED', this.texts.errors.notSignedIn);
    const token = this.tokenFor(address.url, readHosts(this.hostsFile));
    if (token === undefined) throw new GantryError('SIGN_IN_REQUIRED', this.texts.errors.noTokenFor(address.url));
    return this.sessionWith(address.url, token);
  }

  tokenFor(url: string, hosts: Hosts): string | undefined {
    return this.io.environment['GANTRY_TOKEN'] || hosts.hosts[url]?.token;
  }

  sessionWith(url: string, token: string | undefined): Session {
    const headers = {
      'Accept-Language': this.language,
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    };
    const ask = createClient(url, () => headers);
    const client: Client = (id, ...request) =>
      ask(id, ...request).catch((error: unknown) => {
        throw this.translated(url, error);
      });
    return { url, token, client, headers };
  }

  /** What `fetch` throws when nobody answers says nothing to a reader; its cause does. */
  translated(url: string, error: unknown): unknown {
    if (!(error instanceof TypeError) || error.message !== 'fetch failed') return error;
    const cause = error.cause as { readonly code?: string; readonly message?: string } | undefined;
    const why = cause?.code ?? cause?.message ?? error.message;
    return new GantryError('SERVER_UNREACHABLE', this.texts.errors.notReached(url, why), { cause: error });
  }

  /** The project that is meant: `--project`, or that of the clone one stands in. */
  async project(given: string | undefined): Promise<ProjectParams> {
    const slug = given ?? (await this.clone())?.slug;
    if (slug === undefined) throw new GantryError('USAGE_WRONG', this.texts.errors.noProject);
    return this.projectOf(slug);
  }

  projectOf(slug: string): ProjectParams {
    const found = /^([\w.-]+)\/([\w.-]+)$/.exec(slug);
    if (!found?.[1] || !found[2]) throw new GantryError('USAGE_WRONG', this.texts.errors.badProject(slug));
    return { owner: found[1], project: found[2] };
  }

  /** The pipeline that is meant: its number, or the newest of this branch, or else of the project. */
  async pipelineNumber(session: Session, params: ProjectParams, given: string | undefined): Promise<number> {
    if (given !== undefined) {
      const text = given.replace(/^#/, '');
      if (!/^[1-9]\d{0,9}$/.test(text)) throw new GantryError('USAGE_WRONG', this.texts.errors.badNumber(given));
      return Number(text);
    }
    const slug = `${params.owner}/${params.project}`;
    const isHere = (await this.clone())?.slug === slug;
    const branch = isHere ? await currentBranch(this.io.workingFolder) : undefined;
    for (const query of [...(branch === undefined ? [] : [{ limit: 1, branch }]), { limit: 1 }]) {
      const { items } = await session.client('listPipelines', { params, query });
      if (items[0]) return items[0].number;
    }
    throw new GantryError('PIPELINE_NOT_FOUND', this.texts.errors.noPipeline(slug));
  }

  clone(): Promise<CloneFacts | undefined> {
    this.#clone ??= readClone(this.io.workingFolder, (url) => this.#isKnown(url));
    return this.#clone;
  }

  /** Whether this is the Gantry that was named, or one where somebody has signed in. */
  #isKnown(url: string): boolean {
    const named = this.#options.url ?? this.io.environment['GANTRY_URL'];
    return named ? this.cleanUrl(named) === url : readHosts(this.hostsFile).hosts[url] !== undefined;
  }

  cleanUrl(text: string): string {
    const url = /^https?:\/\//.test(text) ? text : `http://${text}`;
    if (!URL.canParse(url)) throw new GantryError('USAGE_WRONG', this.texts.errors.badUrl(text));
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
  }
}
