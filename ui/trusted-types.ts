/**
 * The Trusted Types policy of Gantry's own code (the CSP asks for one): the address of our own worker script, and
 * nothing else. Markup is made by DOMPurify alone, under the policy that it brings (parts/markdown.tsx).
 */
interface Policy {
  createScriptURL(url: string): string;
}

const rules: Policy = {
  createScriptURL: (url) => {
    if (new URL(url, location.href).origin !== location.origin)
      throw new TypeError(`Cannot load the script ${url}: it is not ours`);
    return url;
  },
};

let policy: Policy | undefined;

/** For `new SharedWorker(…)`: a string to the compiler, a TrustedScriptURL to the browser. */
export function trustedScriptUrl(url: string): string {
  const factory = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes;
  policy ??= factory?.createPolicy('gantry', rules) ?? rules;
  return policy.createScriptURL(url);
}
