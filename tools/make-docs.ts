import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { errorsZh } from '../src/api/messages/errors.zh.ts';
import { openApi } from '../src/api/openapi.ts';
import type { Operation } from '../src/api/operation.ts';
import { operations } from '../src/api/operations.ts';
import { webhookPayloads } from '../src/api/webhook-payloads.ts';
import { configRows } from '../src/app/config.ts';
import { commandReference } from '../src/cli/reference.ts';
import { errorCatalogue } from '../src/core/errors.ts';
import { actions, roles } from '../src/core/permission.ts';
import type { Recipe } from '../src/drivers/images/composed/recipe.ts';
import { findRecipe, recipes } from '../src/drivers/images/composed/recipes.ts';
import { type GantryPlace, gantryKeys, gantryPlaces } from '../src/engine/gantry-keys.ts';
import { gantrySchema } from '../src/engine/gantry-schema.ts';
import { lintHints } from '../src/engine/lint-hints.ts';
import { type LintCode, lintRules } from '../src/engine/lint-rules.ts';

/**
 * `npm run docs`: the reference pages and the picture of ARCHITECTURE.md, from the tables and the code themselves.
 * `npm run docs -- --check` compares instead, and fails where a page is old.
 */
const root = dirname(import.meta.dirname);
const isCheck = process.argv.includes('--check');
let stale = 0;

const page = (title: string, intro: string, ...parts: readonly string[]): string =>
  `${[`# ${title}`, intro, ...parts].join('\n\n')}\n`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [head, head.map(() => '---'), ...rows].map(line).join('\n');
}

function put(file: string, text: string): void {
  const path = join(root, file);
  let before = '';
  try {
    before = readFileSync(path, 'utf8');
  } catch {
    before = '';
  }
  if (before === text) return;
  stale += 1;
  process.stdout.write(`${isCheck ? 'old' : 'written'}: ${file}\n`);
  if (isCheck) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const code = (text: string): string => `\`${text}\``;

function wholeMb(recipe: Recipe): number {
  const parent = recipe.parent === undefined ? undefined : findRecipe(recipe.parent);
  return recipe.layerMb + (parent ? wholeMb(parent) : 0);
}

put(
  'docs/reference/config.md',
  page(
    'Settings',
    'Read once, at the start: defaults < file (`GANTRY_CONFIG`, a JSON object by name) < environment < flags. Sizes are written `512MiB`, durations `30s`. `gantry config` prints the effective values and where each came from.',
    table(
      ['variable', 'name in the file', 'default', 'what it is for'],
      Object.entries(configRows).map(([name, row]) => {
        const { variable, fallback, description } = row;
        const shown =
          'fallbackText' in row
            ? row.fallbackText
            : typeof fallback === 'string' && fallback !== ''
              ? code(fallback)
              : '';
        return [`${code(variable)}${'flag' in row ? `, ${code(row.flag)}` : ''}`, code(name), shown ?? '', description];
      }),
    ),
  ),
);

/** Every field of a schema with its path, its type and what it is. */
function fieldsOf(schema: JsonSchema, path = ''): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const at = path === '' ? name : `${path}.${name}`;
    if (field.properties) return fieldsOf(field, at);
    const types = field.anyOf ?? [field];
    const shown = types.map(({ type, enum: choices }) => (choices ? choices.map(code).join(' ') : String(type)));
    return [[code(at), shown.join(' or '), field.description ?? '']];
  });
}

interface JsonSchema {
  readonly type?: unknown;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

put(
  'docs/reference/webhooks.md',
  page(
    'What webhooks are sent',
    'A POST with `Content-Type: application/json` and a body `{"type", "timestamp", "data"}`; `type` is one of the headings below, `timestamp` is when it happened. Headers after Standard Webhooks 1.0: `webhook-id` (the same in every try), `webhook-timestamp` (of this try, in seconds), `webhook-signature` (`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`). Fields may be added; none is renamed or removed. The guide tells how to [make, check and receive them](../guide/webhooks.md).',
    ...Object.entries(webhookPayloads).flatMap(([type, schema]) => {
      const json = z.toJSONSchema(schema) as JsonSchema;
      return [
        `## ${type}`,
        `${json.description ?? ''}.`,
        table(['field of `data`', 'type', 'what it is'], fieldsOf(json)),
      ];
    }),
  ),
);

put(
  'docs/reference/images.md',
  page(
    'Images that are composed here',
    'From Debian packages and, where a version is named that Debian does not have, from the registry of the language; on first need, or ahead by `npm run images -- base/golang:1.22`. No registry of images is asked. The first tag is what no tag means. Sizes are of the compressed layer and, behind it, of all layers together, which images share. Each one ran a program of its language in a sandbox before it was kept.',
    table(
      ['image', 'tags', 'on top of', 'packages named by the recipe', 'MB'],
      recipes.map((recipe) => [
        code(recipe.name),
        recipe.tags.map(code).join(' '),
        recipe.parent === undefined ? '' : code(recipe.parent),
        [
          ...recipe.packages,
          ...recipe.npm.map(({ name, version }) => `${name.amd64} ${version} (npm)`),
          ...(recipe.goToolchain ? [`Go ${recipe.goToolchain.version} (Go module)`] : []),
        ].join(', '),
        `${recipe.layerMb} / ${wholeMb(recipe)}`,
      ]),
    ),
  ),
);

put(
  'docs/reference/errors.md',
  page(
    'Errors',
    'Every error has a code that never changes its meaning, a sentence "Cannot <do> <thing>: <what is the case>", and a hint. The API answers it as `application/problem+json` (RFC 9457), the command line as a sentence with an exit code.',
    ...Object.entries(errorCatalogue).map(([name, { kind, hint }]) => {
      const zh = errorsZh[name as keyof typeof errorsZh];
      return `## ${name}\n\n${kind} · ${hint}\n\n${zh.title} · ${zh.hint}`;
    }),
  ),
);

put(
  'docs/reference/permissions.md',
  page(
    'Permissions',
    `Roles, each with all that those before it may: ${roles.map(code).join(', ')}. A token carries scopes: it may do what its person may, within them.`,
    table(
      ['action', 'about', 'least role', 'scope'],
      Object.entries(actions).map(([name, rule]) => [
        code(name),
        rule.on,
        'role' in rule ? code(rule.role) : '',
        code(rule.scope),
      ]),
    ),
  ),
);

put('docs/reference/gantry-yml.schema.json', `${JSON.stringify(gantrySchema(), undefined, 2)}\n`);
put(
  'docs/reference/gantry-yml.md',
  page(
    '.gantry.yml',
    'Every key, from the table that the reader itself goes by. A file holds one or more documents with `---` between them; each is a workflow. Unknown keys and keys that stand twice are errors. *texts*: one text or a list. *conditions*: a map of constraints that must all hold. `${NAME}` is replaced before the file is read: write `$NAME` or `$${NAME}` for the shell.',
    'Editors: `gantry schema > gantry-yml.schema.json`, or `# yaml-language-server: $schema=…/docs/reference/gantry-yml.schema.json` in the first line of the file.',
    ...Object.entries(gantryKeys).flatMap(([place, keys]) => [
      `## ${gantryPlaces[place as GantryPlace]}`,
      table(
        ['key', 'value', 'meaning'],
        Object.entries(keys).map(([name, { type, description }]) => [code(name), type, description]),
      ),
    ]),
  ),
);

put(
  'docs/reference/lint.md',
  page(
    'Rules of pipeline files',
    '`gantry lint` and the server read a file with the very same code. *by dialect*: an error in `.gantry.yml`, a warning in files of systems that ignore it.',
    table(
      ['code', 'severity', 'what it finds', 'what to write instead'],
      Object.entries(lintRules).map(([name, { severity, summary }]) => [
        code(name),
        severity === 'by-dialect' ? '*by dialect*' : severity,
        summary,
        lintHints[name as LintCode] ?? '',
      ]),
    ),
  ),
);

put(
  'docs/reference/api.md',
  page(
    'API',
    'JSON over HTTP. Authenticate with `Authorization: Bearer gty_…`. `/api/v1/openapi.json` is the whole description (OpenAPI 3.1). Lists answer `{items, next}`; give `next` as `after`. Times are RFC 3339 in UTC.',
    ...Object.entries(operations).map(([id, operation]: [string, Operation]) =>
      [
        `## ${id}`,
        `${code(`${operation.method.toUpperCase()} ${operation.path}`)} → ${operation.status}`,
        operation.summary,
        `Policy ${code(operation.action)}, scope ${code(actions[operation.action].scope)}.${operation.isIdempotent ? ' Takes an `Idempotency-Key`.' : ''}${operation.hasEtag ? ' Has an `ETag`.' : ''}`,
        ...(operation.errors.length > 0
          ? [`Errors: ${operation.errors.map((name) => `[${name}](errors.md#${name.toLowerCase()})`).join(', ')}`]
          : []),
      ].join('\n\n'),
    ),
  ),
);
put('docs/reference/openapi.json', `${JSON.stringify(openApi('1'), undefined, 2)}\n`);
put('docs/reference/cli.md', await commandReference());
put('ARCHITECTURE.md', withPicture(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')));

function withPicture(text: string): string {
  const args = [
    '--config',
    '.dependency-cruiser.cjs',
    '--include-only',
    '^src',
    '--exclude',
    '\\.(test|contract)\\.ts$',
  ];
  const picture = execFileSync(
    join(root, 'node_modules/.bin/depcruise'),
    [...args, '--output-type', 'mermaid', '--collapse', '^src/[^/]+', 'src'],
    { cwd: root, encoding: 'utf8' },
  );
  return text.replace(
    /<!-- picture:begin -->[\s\S]*<!-- picture:end -->/,
    `<!-- picture:begin -->\n\`\`\`mermaid\n${picture.trim()}\n\`\`\`\n<!-- picture:end -->`,
  );
}

if (isCheck && stale > 0) {
  process.stdout.write('Run npm run docs, and commit what it writes.\n');
  process.exitCode = 1;
}
