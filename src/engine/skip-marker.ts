const markers = ['[ci skip]', '[skip ci]', '***no_ci***'] as const;

/** The marker in a commit message that asks for no pipeline, whatever its case (pipelines.md 7). For pushes only. */
export function findSkipMarker(message: string): string | undefined {
  const lower = message.toLowerCase();
  return markers.find((marker) => lower.includes(marker));
}
