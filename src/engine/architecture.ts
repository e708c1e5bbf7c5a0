/** An architecture as Docker, Go and so Drone name it, from Node's name for it. */
export function architectureName(nodeArchitecture: string): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };
  return names[nodeArchitecture] ?? nodeArchitecture;
}

/** Variables that only the machine knows on which a step runs; they stand over what the plan says. */
export function machineEnvironment(nodeArchitecture: string): Readonly<Record<string, string>> {
  return { DRONE_STAGE_OS: 'linux', DRONE_STAGE_ARCH: architectureName(nodeArchitecture) };
}
