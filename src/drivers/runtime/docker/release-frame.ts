import { GantryError } from '../../../core/errors.ts';
import type { ReleaseSpec, StageSpec } from '../runtime.ts';

/** A release is held in memory on both sides of the gate. */
const releaseLimitBytes = 64 * 1024 * 1024;

/**
 * What opens the gate. Environment: the image's own (which the container has), then defaults where the image says
 * nothing, then plan, then secrets. Throws REQUEST_INVALID and REQUEST_TOO_LARGE.
 */
export function encodeRelease(options: {
  readonly mark: string;
  readonly step: Pick<StageSpec, 'name' | 'kind' | 'entrypoint' | 'command'>;
  readonly release: Pick<ReleaseSpec, 'script' | 'environment' | 'secrets'>;
  readonly image: { readonly entrypoint: readonly string[]; readonly command: readonly string[] };
  readonly defaults: Readonly<Record<string, string>>;
  /** What comes after the release is the step's own standard input. */
  readonly takesInput?: boolean;
  /** What `/etc/hosts` is to be; absent = whatever it is. */
  readonly hosts?: Buffer | undefined;
}): Buffer {
  const { mark, step, release, image, defaults, takesInput = false, hosts = '' } = options;
  const variables = Object.entries({ ...release.environment, ...release.secrets }).filter(
    ([name]) => name !== '' && !name.includes('='),
  );
  const holed = variables.find(([name, value]) => name.includes('\0') || value.includes('\0'));
  if (holed) {
    throw new GantryError('REQUEST_INVALID', `Cannot start step "${step.name}": variable ${holed[0]} has a NUL byte`);
  }
  const script = step.kind === 'image' ? undefined : release.script;
  const command =
    script === undefined
      ? [...(step.entrypoint ?? image.entrypoint), ...(step.command ?? (step.entrypoint ? [] : image.command))]
      : [];
  const defaultVariables = Object.entries(defaults);
  const fields = [
    mark,
    script ?? '',
    script === undefined ? '' : '1',
    takesInput ? '1' : '',
    hosts,
    String(defaultVariables.length),
    ...defaultVariables.flat(),
    String(variables.length),
    ...variables.flat(),
    ...command,
  ];
  const lengths = fields.map((field) => (typeof field === 'string' ? Buffer.byteLength(field) : field.length));
  const bodyBytes = lengths.reduce((sum, length) => sum + 4 + length, 0);
  if (bodyBytes > releaseLimitBytes) {
    throw new GantryError(
      'REQUEST_TOO_LARGE',
      `Cannot start step "${step.name}": script and environment have ${bodyBytes} bytes, at most ${releaseLimitBytes} are allowed`,
    );
  }
  // In one piece: a step waits for it, and there are hundreds of fields.
  const frame = Buffer.allocUnsafe(4 + bodyBytes);
  let at = frame.writeUInt32BE(bodyBytes);
  fields.forEach((field, i) => {
    at = frame.writeUInt32BE(lengths[i]!, at);
    if (typeof field === 'string') frame.write(field, at);
    else frame.set(field, at);
    at += lengths[i]!;
  });
  return frame;
}
