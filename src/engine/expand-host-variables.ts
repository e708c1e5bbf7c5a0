/**
 * What a value of `environment` may name in a document of `type: exec` (pipelines.md 10.3). There the machine's own
 * variables are meant; here the machine is a container of `base/debian`, and these are what that has.
 */
const hostVariables: Readonly<Record<string, string>> = {
  HOME: '/root',
  HOMEPATH: '/root',
  USERPROFILE: '/root',
  DRONE_HOME: '/root',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
};

/**
 * Replaces `$NAME` and `${NAME}`, as the exec runner of Drone does. One that the machine does not have becomes empty, and
 * is told.
 */
export function expandHostVariables(value: string, onUnknown: (name: string) => void): string {
  return value.replaceAll(/\$(?:\{([^{}]*)\}|([A-Za-z0-9_]+))/g, (_whole, braced: string | undefined, bare: string) => {
    const name = braced ?? bare;
    if (Object.hasOwn(hostVariables, name)) return hostVariables[name]!;
    onUnknown(name);
    return '';
  });
}
