/** Whose a secret, a variable or a registry login is: one project's, or an organisation's and with that all its projects'. */
export interface Holder {
  readonly kind: 'project' | 'organisation';
  readonly id: number;
}
