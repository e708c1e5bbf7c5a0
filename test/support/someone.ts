import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Client, createClient } from '../../src/api/client.ts';
import type { GantryProcess } from './gantry-process.ts';

const run = promisify(execFile);

/** A person with a token of their own, who pushes with it. */
export class Someone {
  readonly #gantry: GantryProcess;
  readonly #name: string;
  readonly #token: string;

  constructor(gantry: GantryProcess, name: string, token: string) {
    this.#gantry = gantry;
    this.#name = name;
    this.#token = token;
  }

  /** Of the server as it now is: started again, it has another port. */
  get client(): Client {
    return createClient(this.#gantry.url, () => ({ Authorization: `Bearer ${this.#token}` }));
  }

  static async make(gantry: GantryProcess, name: string): Promise<Someone> {
    const password = 'a long way to the sea';
    await gantry.client('createPerson', { body: { name, password } });
    let cookie = '';
    await createClient(gantry.url)('signIn', {
      body: { name, password },
      onResponse: (response) => {
        cookie = response.headers.getSetCookie()[0]!.split(';')[0]!;
      },
    });
    const { url } = gantry;
    const signedIn = createClient(url, () => ({ Cookie: cookie, Origin: url, 'Sec-Fetch-Site': 'same-origin' }));
    const made = await signedIn('createToken', { body: { name: 'laptop', scopes: ['*'] } });
    return new Someone(gantry, name, made.secret);
  }

  /** Commits on top of what `from` has, and pushes it to a branch. Answers the commit. */
  async push(
    from: string,
    to: string,
    branch: string,
    files: Readonly<Record<string, string>>,
    without: readonly string[] = [],
    /** Where it begins anew: a commit that the branch had, and what came after it is thrown away. */
    anewFrom?: string,
  ): Promise<string> {
    const tree = join(this.#gantry.folder, `tree-${this.#name}-${to.replace('/', '-')}`);
    const address = (slug: string) =>
      `${this.#gantry.url.replace('http://', `http://${this.#name}:${this.#token}@`)}/${slug}.git`;
    const git = async (...args: string[]): Promise<string> => {
      const env = {
        PATH: process.env['PATH'] ?? '',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_TERMINAL_PROMPT: '0',
        GIT_AUTHOR_NAME: this.#name,
        GIT_AUTHOR_EMAIL: `${this.#name}@example.com`,
        GIT_COMMITTER_NAME: this.#name,
        GIT_COMMITTER_EMAIL: `${this.#name}@example.com`,
      };
      return (await run('git', args, { cwd: tree, env })).stdout.trim();
    };
    await mkdir(tree, { recursive: true });
    if (!(await readdir(tree)).includes('.git')) {
      await git('init', '-q', '-b', 'main');
      await git('fetch', '-q', address(from), 'refs/heads/main');
      await git('reset', '-q', '--hard', 'FETCH_HEAD');
    }
    if (anewFrom !== undefined) await git('reset', '-q', '--hard', anewFrom);
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(tree, name)), { recursive: true });
      await writeFile(join(tree, name), text);
    }
    for (const name of without) await rm(join(tree, name), { force: true });
    await git('add', '--all');
    await git('commit', '-q', '--allow-empty', '-m', `Change ${Object.keys(files).join(', ')}`);
    await git('push', '-q', ...(anewFrom === undefined ? [] : ['--force']), address(to), `HEAD:refs/heads/${branch}`);
    return git('rev-parse', 'HEAD');
  }
}
