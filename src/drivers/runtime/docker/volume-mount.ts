/** A mount of an engine's volume; what the image has at its place does not come into it. */
export function volumeMount(source: string, target: string, isReadOnly: boolean): object {
  return {
    Type: 'volume',
    Source: source,
    Target: target,
    ReadOnly: isReadOnly,
    VolumeOptions: { NoCopy: true },
  };
}

/** An overlay as an engine mounts it: as in a sandbox, neither devices nor rights of other users come out of a cache. */
export function overlayOptions(options: string): Readonly<Record<string, string>> {
  return { type: 'overlay', device: 'overlay', o: `nosuid,nodev,${options}` };
}
