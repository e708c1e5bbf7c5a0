/** Folders that an image needs for itself: a workspace there would hide them (pipelines.md 10.2). */
const reservedFolders: ReadonlySet<string> = new Set(
  '/ /bin /boot /dev /etc /lib /lib64 /proc /root /run /run/drone /sbin /sys /usr /usr/bin /usr/lib /usr/local /usr/local/bin /usr/sbin /var'.split(
    ' ',
  ),
);

/** Whether the workspace may be this folder, given whole and in its plain form. */
export function isGoodWorkspace(folder: string): boolean {
  return folder.startsWith('/') && !reservedFolders.has(folder) && !/[\0\n]/.test(folder);
}

/** Without doubled or ending slashes; `.` and `..` are resolved, and nothing leaves the root. */
export function plainFolder(path: string): string {
  if (/^(?:\/[^/.][^/]*)+$/.test(path)) return path;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}

/** Where the checkout stands: `path` is below `base` unless it is absolute itself. */
export function wholeWorkspace({ base, path }: { readonly base: string; readonly path: string }): string {
  if (path === '') return plainFolder(base);
  return plainFolder(path.startsWith('/') ? path : `${base}/${path}`);
}
