/** How the checkout of a workflow is made, beyond "the commit of its event, whole" (pipelines.md 8a). */
export interface CheckoutPlan {
  readonly isDisabled: boolean;
  /** How many commits there are from the tip; 0 = all of them. */
  readonly depth: number;
  /** The tags of its repository are there too. */
  readonly hasTags?: true;
  /** Submodules are there, and those in them. */
  readonly isRecursive?: true;
  /** URLs of submodules, by name, in place of those that `.gitmodules` has. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** URL of another repository that is checked out in place of the project's own. */
  readonly remote?: string;
  /** Reference whose tip is checked out in place of the commit of the event. */
  readonly ref?: string;
  /** Name of the branch that HEAD is on; of another repository also the branch that is checked out. */
  readonly branch?: string;
  /** Folder below the workspace; absent = the workspace. */
  readonly path?: string;
  /** Certificates of other hosts are not checked. Only in projects that an administrator trusts with security. */
  readonly skipsVerify?: true;
  /** Line of the file that asks for the content of LFS. */
  readonly lfsLine?: number;
}

/** Whether what lies in a checkout is known only when somebody has looked into repositories, or fetched some. */
export function isGathered({ isDisabled, isRecursive, remote, ref, lfsLine }: CheckoutPlan): boolean {
  if (isDisabled) return false;
  return isRecursive === true || [remote, ref, lfsLine].some((given) => given !== undefined);
}

/** A commit of a repository on this host, and what the checkout says of where it came from. */
export interface CheckoutSource {
  /** The bare repository. */
  readonly folder: string;
  /** What `origin` is set to; never with credentials. */
  readonly remoteUrl: string;
  readonly commit: string;
  readonly ref: string;
  /** Branch that HEAD is on after the checkout; absent = detached. */
  readonly branch?: string | undefined;
}

/** A submodule in its place. */
export interface SubmoduleSource extends Pick<CheckoutSource, 'folder' | 'remoteUrl' | 'commit'> {
  /** What `.gitmodules` calls it; safe as a path. */
  readonly name: string;
  /** Folder below the top repository's; no part of it is a link. */
  readonly path: string;
  /** Path of the submodule that it is in; empty = the top repository. */
  readonly parent: string;
}

/** What lies in a checkout. Those that others are in come first. */
export interface GatheredCheckout {
  readonly source: CheckoutSource;
  readonly submodules: readonly SubmoduleSource[];
}

/** Somebody for whom a checkout is gathered. */
export interface CheckoutReader {
  /** Absent = nobody in particular, and what all readers of the project may read is there. */
  readonly personId?: number | undefined;
  /** Projects that their token was limited to; absent = all that they may read. */
  readonly tokenProjectIds?: readonly number[] | undefined;
  readonly personName: string;
}

/** A checkout: it holds nothing that any of its readers may not read. */
export interface CheckoutRequest {
  readonly projectId: number;
  /** Whoever caused the run, and whoever ran it again. */
  readonly readers: readonly [CheckoutReader, ...CheckoutReader[]];
  /** Its logins for other hosts may be used. */
  readonly mayUseLogins: boolean;
  readonly plan: CheckoutPlan;
  /** The project's own repository at the commit of the event. */
  readonly source: CheckoutSource;
}

/** Finds, and fetches where that is needed, what lies in a checkout. */
export interface CheckoutGatherer {
  /**
   * Throws CHECKOUT_REFUSED when something is not to be had, with what to do about it, and CHECKOUT_UNAVAILABLE when a host
   * does not answer. `note` is told whole lines about what takes time.
   */
  gather(request: CheckoutRequest, note: (line: string) => void, signal: AbortSignal): Promise<GatheredCheckout>;
}
