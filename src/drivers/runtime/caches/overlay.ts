import { GantryError } from '../../../core/errors.ts';

/** mount(2) takes one page of options. */
const optionsLimitBytes = 4_000;

export interface OverlayFolders {
  /** Read-only folders, the lowest first, as image layers are listed. */
  readonly lowers: readonly string[];
  readonly upper: string;
  readonly work: string;
}

/** What a holder mounts: the options, and where the links lead that stand for layers in them. */
export interface OverlayMount {
  readonly options: string;
  /** Empty, or one folder per name `0`, `1` … that the options use: many long paths would not fit the page. */
  readonly links: readonly string[];
}

/**
 * The data of mount(2) for an overlay. `volatile`: a throw-away upper needs no fsync to reach the disk; one that is
 * kept (`isKept`) does. Inside a user namespace overlay keeps its marks in `user.` attributes (kernel 5.11).
 */
export function overlayMount(
  folders: OverlayFolders,
  settings: { readonly isRootless: boolean; readonly isKept: boolean },
): OverlayMount {
  const topmostFirst = folders.lowers.toReversed();
  const direct = optionsOf(topmostFirst.map(escapePath), folders, settings);
  if (Buffer.byteLength(direct) <= optionsLimitBytes) return { options: direct, links: [] };
  const linked = optionsOf(
    topmostFirst.map((_path, index) => String(index)),
    folders,
    settings,
  );
  // The kernel takes 500 layers at most (fs/overlayfs/params.h, OVL_MAX_STACK).
  if (Buffer.byteLength(linked) > optionsLimitBytes || topmostFirst.length > 500) {
    throw new GantryError(
      'IMAGE_INVALID',
      `Cannot mount the image: it has ${folders.lowers.length} layers, more than an overlay takes`,
    );
  }
  return { options: linked, links: topmostFirst };
}

function optionsOf(
  lowers: readonly string[],
  folders: OverlayFolders,
  settings: { readonly isRootless: boolean; readonly isKept: boolean },
): string {
  return [
    `lowerdir=${lowers.join(':')}`,
    `upperdir=${escapePath(folders.upper)}`,
    `workdir=${escapePath(folders.work)}`,
    ...(settings.isKept ? [] : ['volatile']),
    ...(settings.isRootless ? ['userxattr'] : []),
  ].join(',');
}

function escapePath(path: string): string {
  return path.replaceAll(/[\\:,]/g, String.raw`\$&`);
}
