/** What variables and conditions say of the address of a Gantry; all empty when it is no address. */
export interface InstanceAddress {
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
}

let latest: { readonly url: string; readonly address: InstanceAddress } | undefined;

/** The parts of an address. One server has one, so that the last one asked for is remembered. */
export function instanceAddress(instanceUrl: string): InstanceAddress {
  if (latest?.url !== instanceUrl) {
    const { protocol = '', host = '', hostname = '' } = URL.parse(instanceUrl) ?? {};
    latest = { url: instanceUrl, address: { protocol: protocol.replace(/:$/, ''), host, hostname } };
  }
  return latest.address;
}
