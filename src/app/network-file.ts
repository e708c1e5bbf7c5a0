import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import * as z from 'zod';
import { GantryError } from '../core/errors.ts';
import { parseImageRule } from '../core/image-rule.ts';
import { type NetworkSettings, noNetworkSettings, splitCredentials } from '../core/network-settings.ts';

const httpAddress = z.string().max(2_000).refine(isHttp, 'write an address such as https://mirror.example/npm/');
const plainAddress = httpAddress.refine(
  (address) => !isHttp(address) || splitCredentials(address).username === '',
  'apt takes no user and password from here: name a mirror that asks for none',
);
const cargoAddress = z
  .string()
  .max(2_000)
  .refine(
    (address) => isHttp(address.replace(/^sparse\+/, '')),
    'write an address such as sparse+https://mirror.example/',
  );
const hosts = z.array(z.string().regex(/^[^\s,|]{1,255}$/, 'write one host or .domain each')).max(500);
const rule = z.string().transform((text, context) => {
  try {
    return parseImageRule(text);
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});
const login = z.strictObject({
  registry: z.string().min(1).max(500),
  username: z.string().min(1).max(500),
  password: z.string().min(1).max(10_000),
});

/** The file that GANTRY_MIRRORS names: YAML, and so JSON too. */
const fileSchema = z.strictObject({
  proxy: z
    .strictObject({ http: httpAddress.optional(), https: httpAddress.optional(), no_proxy: hosts.default([]) })
    .optional(),
  mirrors: z
    .strictObject({
      npm: httpAddress.optional(),
      pypi: httpAddress.optional(),
      go: httpAddress.optional(),
      go_sumdb: z.string().min(1).max(2_000).optional(),
      maven: httpAddress.optional(),
      cargo: cargoAddress.optional(),
      debian: plainAddress.optional(),
      debian_security: plainAddress.optional(),
      rubygems: httpAddress.optional(),
    })
    .default({}),
  images: z.array(rule).max(500).default([]),
  registries: z.array(login).max(100).default([]),
});

const maxFileBytes = 256 * 2 ** 10;

/** Reads proxy, mirrors, rules for images and their credentials. Throws CONFIG_INVALID that tells every mistake. */
export function readNetworkFile(path: string | undefined): NetworkSettings {
  if (path === undefined) return noNetworkSettings;
  const refuse = (because: string, cause?: unknown): GantryError =>
    new GantryError('CONFIG_INVALID', `Cannot read the settings: GANTRY_MIRRORS: ${path}: ${because}`, { cause });
  let document: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > maxFileBytes) throw new Error(`it is larger than ${maxFileBytes} bytes`);
    document = parse(text, { maxAliasCount: 0 }) ?? {};
  } catch (error) {
    throw refuse((error as Error).message.split('\n')[0] ?? 'it cannot be read', error);
  }
  const parsed = fileSchema.safeParse(document);
  if (!parsed.success)
    throw refuse(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  const { images, mirrors, proxy, registries } = parsed.data;
  const { debian_security: debianSecurity, go_sumdb: goSumDb, ...others } = mirrors;
  return {
    ...(proxy ? { proxy: { http: proxy.http, https: proxy.https, noProxy: proxy.no_proxy } } : {}),
    mirrors: { ...others, debianSecurity, goSumDb },
    images,
    registries,
  };
}

function isHttp(text: string): boolean {
  if (!/^https?:\/\/[^\s"'<>\\]+$/.test(text) || !URL.canParse(text)) return false;
  try {
    splitCredentials(text);
    return true;
  } catch {
    return false;
  }
}
