import type { StepLimitsPlan } from '../core/step-limits.ts';
import type { DocumentReader, Fields } from './document-reader.ts';
import { isNull } from './yaml/scalar-type.ts';
import type { YamlNode } from './yaml/yaml-node.ts';

/** Less than this no engine gives, and nothing runs in. */
const leastMemoryBytes = 6 * 2 ** 20;
const leastShmBytes = 2 ** 20;
/** A period of the kernel's scheduler, as `cpu_quota` counts it. */
const periodMicroseconds = 100_000;

/**
 * Reads what bounds a step: `mem_limit` and `cpu_quota` of Drone 0.8, Drone 1.x and older Woodpecker, `resources.limits` of
 * Drone 1.x and `.gantry.yml`, `shm_size` of all (pipelines.md 9.2, 10.3, 11.3). `undefined` when nothing does.
 */
export function readLimits(reader: DocumentReader, fields: Fields, step: string): StepLimitsPlan | undefined {
  const isGantry = reader.rules.dialect === 'gantry';
  const resources = readResources(reader, fields.get('resources')?.value, step);
  const memoryBytes = isGantry
    ? resources.memoryBytes
    : (readMemory(reader, fields.get('mem_limit')?.value, `"mem_limit" of step "${step}"`) ?? resources.memoryBytes);
  const cpuMillis = isGantry
    ? resources.cpuMillis
    : (readQuota(reader, fields.get('cpu_quota')?.value, step) ?? resources.cpuMillis);
  const shmBytes = readBytes(reader, fields.get('shm_size')?.value, `"shm_size" of step "${step}"`, leastShmBytes);
  if (memoryBytes === undefined && cpuMillis === undefined && shmBytes === undefined) return undefined;
  return {
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpuMillis === undefined ? {} : { cpuMillis }),
    ...(shmBytes === undefined ? {} : { shmBytes }),
  };
}

function readResources(reader: DocumentReader, node: YamlNode | undefined, step: string): StepLimitsPlan {
  const what = `"resources" of step "${step}"`;
  if (!node || isNull(node)) return {};
  const found: { memoryBytes?: number; cpuMillis?: number } = {};
  for (const [name, { key, value }] of reader.fields(node, what) ?? []) {
    if (name === 'requests') reader.add('key.no-effect', key, `"requests" has no effect: a runner has slots`);
    else if (name !== 'limits') reader.unknownKey(key, what, new Set(['limits']));
    else
      for (const [limit, entry] of reader.fields(value, `"limits" of ${what}`) ?? []) {
        const memory = limit === 'memory' ? readMemory(reader, entry.value, `"memory" of ${what}`) : undefined;
        const cpu = limit === 'cpu' ? readCpu(reader, entry.value, `"cpu" of ${what}`) : undefined;
        if (memory !== undefined) found.memoryBytes = memory;
        if (cpu !== undefined) found.cpuMillis = cpu;
        if (limit !== 'memory' && limit !== 'cpu')
          reader.unknownKey(entry.key, `"limits" of ${what}`, new Set(['cpu', 'memory']));
      }
  }
  return found;
}

function readMemory(reader: DocumentReader, node: YamlNode | undefined, what: string): number | undefined {
  return readBytes(reader, node, what, leastMemoryBytes);
}

/** `512m`, `1g`, `512MiB`, `512Mi`, or bytes: every unit is one of 1024, as container engines have it. 0 = as usual. */
function readBytes(
  reader: DocumentReader,
  node: YamlNode | undefined,
  what: string,
  leastBytes: number,
): number | undefined {
  const text = reader.text(node, what)?.trim();
  if (!node || text === undefined || text === '') return undefined;
  const found = /^(\d+(?:\.\d+)?) ?(?:([kmgt])(?:i?b|i)?|b)?$/i.exec(text);
  const exponent = ' kmgt'.indexOf(found?.[2]?.toLowerCase() ?? ' ');
  const bytes = Math.round(Number(found?.[1]) * 1024 ** exponent);
  if (bytes === 0) return undefined;
  if (found && bytes >= leastBytes && Number.isSafeInteger(bytes)) return bytes;
  reader.add(
    'value.type',
    node,
    `${what} is "${text}", and takes a size of at least ${leastBytes / 2 ** 20} MiB, such as "512MiB"`,
  );
  return undefined;
}

/** `500m` or `0.5` = half a core. A whole number is one of cores in `.gantry.yml`, and of thousandths in Drone. */
function readCpu(reader: DocumentReader, node: YamlNode, what: string): number | undefined {
  const text = reader.text(node, what)?.trim() ?? '';
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(m?)$/.exec(text) ?? [];
  const isThousandths = unit === 'm' || (reader.rules.dialect !== 'gantry' && !text.includes('.'));
  const millis = Math.round(Number(digits) * (isThousandths ? 1 : 1_000));
  if (millis >= 10 && millis <= 1_024_000) return millis;
  reader.add('value.type', node, `${what} is "${text}", and takes a number of cores, such as "500m" for half of one`);
  return undefined;
}

/** Microseconds of each tenth of a second; 0 and less = no limit. */
function readQuota(reader: DocumentReader, node: YamlNode | undefined, step: string): number | undefined {
  const text = reader.text(node, `"cpu_quota" of step "${step}"`)?.trim();
  if (!node || text === undefined || text === '') return undefined;
  const microseconds = Number(text);
  if (Number.isInteger(microseconds))
    return microseconds > 0 ? Math.max(10, Math.round((microseconds * 1_000) / periodMicroseconds)) : undefined;
  reader.add('value.type', node, `"cpu_quota" of step "${step}" is "${text}", and takes microseconds`);
  return undefined;
}
