/** What a build has put into a registry. */
export interface PushedImage {
  /** As it was pushed: registry, repository and tag. */
  readonly name: string;
  /** Of its manifest. */
  readonly digest: string;
}
