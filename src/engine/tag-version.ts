/** Variables that the name of a tag gives: its semantic version, and its calendar version where the major is a year. */
export function tagVersionVariables(tag: string): Record<string, string> {
  const variables: Record<string, string> = { DRONE_TAG: tag };
  const version = tag.replace(/^v/, '');
  const semver = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/.exec(
    version,
  );
  if (semver && hasGoodIdentifiers(semver[4])) {
    const [, major = '', minor = '', patch = '', prerelease = '', build = ''] = semver;
    variables['DRONE_SEMVER'] = version;
    variables['DRONE_SEMVER_MAJOR'] = major;
    variables['DRONE_SEMVER_MINOR'] = minor;
    variables['DRONE_SEMVER_PATCH'] = patch;
    variables['DRONE_SEMVER_PRERELEASE'] = prerelease;
    variables['DRONE_SEMVER_BUILD'] = build;
    variables['DRONE_SEMVER_SHORT'] = `${major}.${minor}.${patch}`;
  } else {
    variables['DRONE_SEMVER_ERROR'] = `"${tag}" is not a semantic version`;
  }

  const calver = /^(\d{4})\.(\d{1,2})(?:\.(\d+))?(?:[-+](.+))?$/.exec(version);
  if (calver) {
    const [, major = '', minor = '', micro = '', modifier = ''] = calver;
    variables['DRONE_CALVER'] = version;
    variables['DRONE_CALVER_MAJOR_MINOR'] = `${major}.${minor}`;
    variables['DRONE_CALVER_MAJOR'] = major;
    variables['DRONE_CALVER_MINOR'] = minor;
    variables['DRONE_CALVER_MICRO'] = micro;
    variables['DRONE_CALVER_MODIFIER'] = modifier;
    variables['DRONE_CALVER_SHORT'] = micro === '' ? `${major}.${minor}` : `${major}.${minor}.${micro}`;
  }
  return variables;
}

/** Identifiers of a pre-release are not empty, and numbers among them have no leading zero (semver 2.0, 9). */
function hasGoodIdentifiers(prerelease: string | undefined): boolean {
  return prerelease === undefined || prerelease.split('.').every((part) => part !== '' && !/^0\d+$/.test(part));
}
