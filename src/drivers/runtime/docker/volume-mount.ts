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
