/**
 * Whose work a pipeline is. `untrusted`: its commit comes from a fork, or from somebody who may not write to the project
 * (reliability-security.md 11.6). Such work never runs in the sandbox, has caches of its own, and is given no secret of the
 * project unless somebody approved that commit with them. An approval does not make it trusted.
 */
export type Trust = 'trusted' | 'untrusted';
