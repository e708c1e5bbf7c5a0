import { GantryError } from '../../../core/errors.ts';

/** mount(2) takes one page of options. */
const optionsLimitBytes = 4_000;

export interface OverlayFolders {
  /** Read-only folders, the lowest first, as image layers are listed. */
  readonly lowers: readonly string[];
  readonly upper: string;
  readonly work: string;
}

/**
 * The data of mount(2) for an overlay. `volatile`: a throw-away upper needs no fsync to reach the disk; one that is
 * kept (`isKept`) does.
 * Inside a user namespace overlay keeps its marks in `user.` attributes (kernel 5.11).
 */
export function overlayOptions(
  folders: OverlayFolders,
  settings: { readonly isRootless: boolean; readonly isKept: boolean },
): string {
  const lowers = folders.lowers.toReversed().map(escapePath).join(':');
  const options = [
    `lowerdir=${lowers}`,
    `upperdir=${escapePath(folders.upper)}`,
    `workdir=${escapePath(folders.work)}`,
    ...(settings.isKept ? [] : ['volatile']),
    ...(settings.isRootless ? ['userxattr'] : []),
  ].join(',');
  if (Buffer.byteLength(options) > optionsLimitBytes) {
    throw new GantryError(
      'IMAGE_INVALID',
      `Cannot mount the image: its ${folders.lowers.length} layers need ${Buffer.byteLength(options)} bytes of mount options, the kernel takes ${optionsLimitBytes}`,
    );
  }
  return options;
}

function escapePath(path: string): string {
  return path.replaceAll(/[\\:,]/g, String.raw`\$&`);
}
