/** Where a submodule comes from: a project of this Gantry, or a repository elsewhere. */
export type SubmodulePlace =
  | { readonly kind: 'own'; readonly owner: string; readonly name: string }
  | { readonly kind: 'foreign'; readonly url: URL }
  /** The rest of a sentence that begins with the URL. */
  | { readonly kind: 'refused'; readonly because: string };

const longestUrl = 2_048;

/**
 * What a URL of `.gitmodules` means, or of a setting. One that begins with `./` or `../` is seen from the repository that
 * names it, as gitmodules(5) has it. Nothing but HTTP is ever spoken: other transports run programs or read this host's files.
 */
export function placeOfSubmodule(written: string, parentUrl: string, publicUrl: string): SubmodulePlace {
  if (written.length > longestUrl) return { kind: 'refused', because: `is longer than ${longestUrl} characters` };
  if (/[\u0000-\u0020\u007f]/.test(written))
    return { kind: 'refused', because: 'has a space or a control character in it' };
  if (written.startsWith('-')) return { kind: 'refused', because: 'begins with "-", as an option does' };
  const whole = /^\.\.?\//.test(written) ? fromParent(written, parentUrl) : written;
  if (whole === undefined) return { kind: 'refused', because: `leads out of ${parentUrl}` };
  // `<transport>::<address>` starts a program of that name.
  const [, scheme] = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(whole) ?? [];
  if (/^[A-Za-z0-9]+::/.test(whole) || !/^https?:\/\//i.test(whole))
    return {
      kind: 'refused',
      because: `${scheme === undefined || whole.includes('@') ? 'is not fetched over HTTP or HTTPS' : `uses "${scheme}:"`}: only http:// and https:// are fetched. Write such a URL in .gitmodules, a relative one, or give one with "submodule_override"`,
    };
  let url: URL;
  try {
    url = new URL(whole);
  } catch {
    return { kind: 'refused', because: 'is not a URL' };
  }
  if (url.password !== '')
    return {
      kind: 'refused',
      because: 'has a password in it: write it without, and keep the login in the settings of the project',
    };
  if (url.search !== '' || url.hash !== '') return { kind: 'refused', because: 'has a "?" or a "#" in it' };
  url.username = '';
  if (url.host !== new URL(publicUrl).host) return { kind: 'foreign', url };
  const base = `${new URL(publicUrl).pathname.replace(/\/$/, '')}/`;
  const below = url.pathname.startsWith(base) ? url.pathname.slice(base.length) : '';
  const [, owner, name] = /^([^/%]+)\/([^/%]+?)(?:\.git)?\/?$/.exec(below) ?? [];
  if (owner === undefined || name === undefined)
    return { kind: 'refused', because: 'leads to this Gantry and names no project of it' };
  return { kind: 'own', owner, name };
}

/** `../lib.git` seen from `https://host/group/project.git` is `https://host/group/lib.git`. */
function fromParent(written: string, parentUrl: string): string | undefined {
  let base = parentUrl.replace(/\/+$/, '');
  let rest = written;
  for (;;) {
    if (rest.startsWith('./')) rest = rest.slice(2);
    else if (rest.startsWith('../')) {
      rest = rest.slice(3);
      // The host stays what it is.
      const shorter = /^(https?:\/\/[^/]+(?:\/.*)?)\/[^/]*$/i.exec(base)?.[1];
      if (shorter === undefined) return undefined;
      base = shorter;
    } else break;
  }
  return rest.split('/').includes('..') ? undefined : `${base}/${rest}`;
}
