/** Folders that hold the socket or the files of a container engine: whoever sees one owns the host. */
const engineFolders = [
  '/run',
  '/var/run',
  '/var/lib/docker',
  '/var/lib/containers',
  '/var/lib/containerd',
  '/proc',
  '/sys',
];

/**
 * Why a folder of the host is mounted for nobody, as the end of a sentence; `undefined` when a trusted project may have it.
 * The socket of a container engine is never among what a step sees, nor a folder that it lies in.
 */
export function findHostFolderFault(path: string): string | undefined {
  if (!path.startsWith('/')) return 'it is no absolute path';
  if (path.length > 500 || /[\p{Cc}]/u.test(path) || path.split('/').some((part) => part === '.' || part === '..'))
    return 'it is no good path';
  const plain = `/${path.split('/').filter(Boolean).join('/')}`;
  if (plain.endsWith('.sock')) return 'no step ever sees a socket of its host';
  const held = engineFolders.find((folder) => isWithin(folder, plain) || isWithin(plain, folder));
  return held === undefined ? undefined : `${held} of the host is shown to no step`;
}

function isWithin(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`);
}
