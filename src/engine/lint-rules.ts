import type { Dialect } from '../core/plan.ts';

export type Severity = 'error' | 'warning';

/** `by-dialect`: an error in `.gantry.yml`, a warning in files of systems that ignore it. */
export interface LintRule {
  readonly severity: Severity | 'by-dialect';
  /** Where a finding `by-dialect` is an error; only in `.gantry.yml` when absent. */
  readonly errorIn?: readonly Dialect[];
  /** What the rule finds, and what to do about it. */
  readonly summary: string;
}

/**
 * Every finding that a pipeline file can have. A code is permanent: retire it, never rename it.
 * docs/reference/lint.md is generated from this table.
 */
export const lintRules = {
  'file.empty': { severity: 'error', summary: 'The file has no pipeline document.' },
  'file.too-large': { severity: 'error', summary: 'A pipeline file may have 256 KiB.' },
  'file.program': {
    severity: 'error',
    summary: 'The file is a program (Jsonnet, Starlark) that does not run to its end, or nothing here runs it.',
  },
  'file.findings-cut': {
    severity: 'warning',
    summary: 'The file has more findings than are shown: mend the first ones.',
  },
  'yaml.syntax': { severity: 'error', summary: 'The text is not YAML.' },
  'yaml.limit': { severity: 'error', summary: 'The document is nested too deeply, or aliases multiply it too often.' },
  'yaml.duplicate-key': {
    severity: 'by-dialect',
    errorIn: ['gantry', 'woodpecker'],
    summary: 'A map has a key twice. In Drone files the last one counts; elsewhere it is an error.',
  },
  'yaml.key': { severity: 'error', summary: 'A key of a map is not a plain text.' },
  'yaml.tag': { severity: 'by-dialect', summary: 'A YAML tag means nothing here.' },
  'yaml.merge': { severity: 'error', summary: '`<<` merges a map or a list of maps.' },
  'substitution.syntax': {
    severity: 'error',
    summary:
      'A `${…}` cannot be read. It is replaced before the shell sees it, comments included: write `$${…}` for the shell.',
  },
  'substitution.unknown-name': {
    severity: 'warning',
    summary:
      'A `${NAME}` names nothing that is known when the file is read, so it becomes empty. Write `$${NAME}` or `$NAME` for the shell.',
  },
  'substitution.frozen': {
    severity: 'warning',
    summary: 'A status or a time is not known yet when `${…}` is replaced. Write `$NAME`, which the shell reads.',
  },
  'substitution.no-effect': {
    severity: 'warning',
    summary: '`trigger`, `depends_on`, `type` and `kind` are read before substitution, so `${…}` stays as it is there.',
  },
  'substitution.name': { severity: 'error', summary: 'The name of a pipeline may not contain `${…}`.' },
  'substitution.unsafe-value': {
    severity: 'warning',
    summary:
      'A branch, tag, message or author holds characters that change a script. Write `"$NAME"`, which the shell reads as one value.',
  },
  'document.kind': { severity: 'error', summary: 'The kind of a document is unknown.' },
  'document.kind-missing': {
    severity: 'by-dialect',
    summary: 'A document has steps and no `kind: pipeline`. Drone refuses it; here it is read as one.',
  },
  'document.kind-unsupported': { severity: 'error', summary: 'Gantry does not support this kind of document.' },
  'secret.value': { severity: 'error', summary: 'A secret in the file has no value, or one that is no text.' },
  'secret.duplicate': {
    severity: 'by-dialect',
    summary: 'Two secrets in the file have the same name. Drone takes the first.',
  },
  'secret.stored': {
    severity: 'warning',
    summary: 'A secret in the file has the name of one that is stored: the stored one wins where it is given.',
  },
  'secret.closed': {
    severity: 'error',
    summary: 'A secret in the file does not open with a key of the project. Found by the server, which has the keys.',
  },
  'document.kind-no-effect': { severity: 'warning', summary: 'A document of this kind has no effect.' },
  'document.shape': { severity: 'error', summary: 'A document is not a map.' },
  'document.unread': {
    severity: 'warning',
    summary: 'Text behind `---` on its line, or after a line that begins with `...`, is not read.',
  },
  'dialect.unsupported': {
    severity: 'error',
    summary: 'The file is written for a system that Gantry does not run yet.',
  },
  'key.unknown': {
    severity: 'by-dialect',
    summary: 'The dialect does not know the key. Drone ignores it; in `.gantry.yml` it is an error.',
  },
  'key.unsupported': { severity: 'error', summary: 'The dialect knows the key, and Gantry does not support it.' },
  'key.no-effect': { severity: 'warning', summary: 'The key is known and changes nothing here.' },
  'value.type': { severity: 'error', summary: 'A value has the wrong type.' },
  'value.scalar-for-list': {
    severity: 'warning',
    summary: 'A single value stands where Drone demands a list, and refuses it; here it is a list of one.',
  },
  'value.unknown': { severity: 'error', summary: 'A value is none of those that the key takes.' },
  'value.unknown-default': {
    severity: 'warning',
    summary: 'A value is none of those that the key takes; Drone uses the default.',
  },
  'workflow.name-duplicate': { severity: 'error', summary: 'Two pipelines of a file have the same name.' },
  'workflow.name-invalid': {
    severity: 'error',
    summary: 'A name has 1 to 100 characters, none of them a control character.',
  },
  'workflow.dependency-unknown': {
    severity: 'by-dialect',
    summary:
      '`depends_on` names a pipeline that the file does not have. Drone ignores it; in `.gantry.yml` it is an error.',
  },
  'workflow.cycle': { severity: 'error', summary: 'Pipelines wait for each other in a circle.' },
  'workflow.type': {
    severity: 'warning',
    summary: 'No runner takes this type of pipeline: it is blocked while the others run.',
  },
  'workflow.exec': {
    severity: 'warning',
    summary: 'A pipeline of `type: exec` runs in a container of `base/debian`: nothing runs in a shell of the machine.',
  },
  'workflow.platform': {
    severity: 'error',
    summary:
      'A platform names a system that nothing runs on: `os` is linux or windows, `arch` one of amd64, arm64, arm …',
  },
  'workflow.no-steps': {
    severity: 'by-dialect',
    errorIn: ['drone08', 'woodpecker'],
    summary: 'A pipeline has no steps. Drone 0.8 and Woodpecker refuse it; elsewhere there is nothing to do.',
  },
  'workflow.workspace-reserved': {
    severity: 'warning',
    summary: 'The workspace would hide a folder of the system; the default is used.',
  },
  'workflow.too-many': {
    severity: 'error',
    summary: 'A file may have 200 documents and 1,000 steps, and a matrix may make 4 MiB of text of it.',
  },
  'step.name-missing': { severity: 'error', summary: 'A step has no name.' },
  'step.name-invalid': {
    severity: 'error',
    summary: 'A step’s name has 1 to 100 characters, none of them a control character, and is not `clone`.',
  },
  'step.name-duplicate': { severity: 'error', summary: 'Two steps of a pipeline have the same name.' },
  'step.image-missing': { severity: 'error', summary: 'A step has no image.' },
  'step.command-map': {
    severity: 'error',
    summary: 'A command reads as a map, since it contains `: `. Put the whole line in quotes.',
  },
  'step.commands-and-entrypoint': {
    severity: 'by-dialect',
    errorIn: ['gantry', 'drone08'],
    summary: '`entrypoint` and `command` have no effect beside `commands`.',
  },
  'step.dependency-unknown': {
    severity: 'error',
    summary: '`depends_on` names a step that the pipeline does not have.',
  },
  'step.dependency-later': {
    severity: 'warning',
    summary: '`depends_on` names a step that is defined later. It works here; Drone refuses it.',
  },
  'step.dependency-on-clone': {
    severity: 'warning',
    summary: '`depends_on: [clone]` where the clone is disabled: it is left out.',
  },
  'step.cycle': { severity: 'error', summary: 'Steps wait for each other in a circle.' },
  'step.timeout': {
    severity: 'error',
    summary: 'A timeout is a duration such as `90s` or `1h30m`, of at most 7 days.',
  },
  'step.dependency-on-service': {
    severity: 'warning',
    summary: '`depends_on` names a service. Drone refuses that; here each step waits for all services anyway.',
  },
  'step.host-name': {
    severity: 'warning',
    summary: 'The name of a service is no name of a host, so that the steps reach it at localhost only.',
  },
  'volume.name': { severity: 'error', summary: 'A volume has no usable name, or one that another has.' },
  'volume.unknown': { severity: 'error', summary: 'A step names a volume that the pipeline does not have.' },
  'volume.host-path': {
    severity: 'error',
    summary:
      'A volume is a folder of the host that no step may see: it holds the socket or the files of a container engine, or is no good path.',
  },
  'step.untrusted': {
    severity: 'error',
    summary:
      'A step asks for rights on its host (`privileged`, `devices`, a folder or the network of the host), and its project is not trusted with that: an administrator of the site may change it.',
  },
  'step.privileged': {
    severity: 'error',
    summary:
      'A step may not run privileged: its image is not on the installation’s list, or the step has commands, an entrypoint, volumes or variables that could make the image do something else.',
  },
  'step.host-rights': {
    severity: 'warning',
    summary:
      'A step asks for rights on its host, or for a size of `/dev/shm` in a file of Drone or Woodpecker: it runs only in a project that an administrator trusts with that, and with rights on its host only in a container engine.',
  },
  'volume.path': {
    severity: 'error',
    summary: 'A volume would lie in the workspace or hide a folder of the image.',
  },
  'volume.not-kept': {
    severity: 'warning',
    summary: 'A named volume starts empty in each workflow, where Drone 0.8 and Woodpecker keep what it holds.',
  },
  'include.failed': {
    severity: 'error',
    summary:
      'A file that `include` names cannot be had: it is not there, is not pinned, may not be read by all who read this project, or there are too many.',
  },
  'artifact.invalid': {
    severity: 'error',
    summary: 'An artifact, or an item of `use`, has no usable name, time to keep or `when`, or there are too many.',
  },
  'artifact.path': {
    severity: 'error',
    summary: 'An artifact has no path in the workspace, or would go elsewhere.',
  },
  'artifact.duplicate': { severity: 'error', summary: 'Two steps make an artifact of the same name.' },
  'artifact.unknown': { severity: 'error', summary: 'A workflow uses an artifact that no other workflow makes.' },
  'cache.key': {
    severity: 'error',
    summary:
      'The key of a cache, or an item of its `restore`, cannot be read: texts, `${…}` and `{{ checksum "file" }}` make one.',
  },
  'cache.path': {
    severity: 'error',
    summary:
      'A cache has no paths, or one that would hide the workspace, a folder of the image, a volume or another path.',
  },
  'cache.file-missing': {
    severity: 'warning',
    summary: 'The key of a cache has the checksum of a file that the commit does not have.',
  },
  'reuse.inputs': {
    severity: 'error',
    summary:
      'A step that may be reused says nothing of what it reads, or an item is no path or pattern below the repository.',
  },
  'reuse.outputs': {
    severity: 'error',
    summary: 'An output of a step that may be reused is no path of a file or folder below the workspace.',
  },
  'reuse.not-possible': {
    severity: 'error',
    summary:
      'A step cannot be reused: it is given a secret, has a volume, runs beside the others, or runs after a failure.',
  },
  'environment.name': {
    severity: 'error',
    summary: 'The name of a variable is empty or holds `=` or a NUL character.',
  },
  'environment.empty-dropped': { severity: 'warning', summary: 'Drone leaves a variable with an empty value unset.' },
  'environment.map-dropped': {
    severity: 'by-dialect',
    summary: 'A variable is a map without `from_secret`. Drone leaves it unset; in `.gantry.yml` it is an error.',
  },
  'secret.name': { severity: 'error', summary: '`from_secret` names no secret.' },
  'condition.bare-value': {
    severity: 'warning',
    summary:
      'A single value below `include` or `exclude`, which Drone ignores without a word; here it is a list of one.',
  },
  'condition.glob': { severity: 'warning', summary: 'A pattern is malformed, so it never matches.' },
  'condition.paths': {
    severity: 'warning',
    summary: 'Drone does not look at `paths`, so they decide nothing. In `.gantry.yml` they do.',
  },
  'condition.expression': {
    severity: 'error',
    summary: 'An expression of `evaluate` cannot be read or has no answer.',
  },
  'condition.no-event': {
    severity: 'warning',
    summary: 'Conditions that name no event match every event, pull requests and tags included.',
  },
  'matrix.axis-ignored': { severity: 'warning', summary: 'An axis of the matrix has no values.' },
  'matrix.axis-type': { severity: 'error', summary: 'An axis of the matrix is no list, or has no usable name.' },
  'matrix.cut': {
    severity: 'warning',
    summary: 'A matrix has at most 12 axes and 27 sets of values; the rest is left out.',
  },
  'parameter.name': { severity: 'error', summary: 'A parameter has no usable name, or one that Gantry sets.' },
  'parameter.name-duplicate': {
    severity: 'error',
    summary: 'Two documents of a file have a parameter of the same name.',
  },
  'parameter.options': { severity: 'error', summary: 'A choice needs options, and nothing else may have them.' },
  'parameter.pattern': { severity: 'error', summary: 'The pattern of a parameter cannot be read, or is of no string.' },
  'parameter.default': { severity: 'error', summary: 'The default of a parameter is a value that it may not have.' },
  'parameter.too-many': {
    severity: 'error',
    summary: 'A file may have 50 parameters, with 100 options each and texts of 500 characters.',
  },
  'parameter.value': { severity: 'error', summary: 'The event gives a parameter a value that it may not have.' },
  'matrix.axis-empty': { severity: 'error', summary: 'An axis of the matrix of a `.gantry.yml` has no values.' },
  'matrix.axis-name': { severity: 'error', summary: 'The name of an axis is no name of a variable.' },
  'matrix.axis-unknown': { severity: 'error', summary: 'A set of `exclude` names what is no axis of the matrix.' },
  'matrix.empty': { severity: 'error', summary: 'A matrix has no set of values: nothing would ever run.' },
  'matrix.substitution': {
    severity: 'error',
    summary: 'A value of a matrix holds `${…}`, and is read before anything is replaced.',
  },
  'matrix.too-large': {
    severity: 'error',
    summary: 'A matrix of a `.gantry.yml` may have 12 axes and 200 sets of values.',
  },
  'matrix.value-duplicate': { severity: 'error', summary: 'An axis of the matrix has a value twice.' },
  'step.settings-and-commands': {
    severity: 'error',
    summary: 'A step has settings of a plugin and commands; a misspelt key counts as a setting in Drone 0.8.',
  },
  'step.settings-and-environment': {
    severity: 'warning',
    summary: 'A step has settings of a plugin and an environment, which a plugin does not read.',
  },
  'key.deprecated': {
    severity: 'warning',
    summary: 'A key has another name in the newer versions of its system. It works all the same.',
  },
  'step.dependency-filtered': {
    severity: 'error',
    summary: '`depends_on` names a step that the conditions left out. Woodpecker refuses that; say `optional: true`.',
  },
  'build.beside': {
    severity: 'error',
    summary: 'A step with `build` runs nothing of its own: commands belong into another step.',
  },
  'build.no-builder': {
    severity: 'warning',
    summary: 'A step builds an image, and the installation has nothing to build with: the step would fail.',
  },
  'build.platform': {
    severity: 'error',
    summary: 'A step builds an image for another platform than that of the builder.',
  },
  'build.secret-argument': {
    severity: 'warning',
    summary: 'A secret is an argument of a build, and stays readable in the image. Use `RUN --mount=type=secret`.',
  },
  'build.setting': {
    severity: 'warning',
    summary: 'A setting of a plugin that builds images has no effect: the image is built natively.',
  },
  'file.other-document': { severity: 'warning', summary: 'Woodpecker reads only the first document of a file.' },
  'clone.submodules': {
    severity: 'warning',
    summary: '`submodule_override` of a checkout that fetches no submodules.',
  },
  'clone.refused': {
    severity: 'error',
    summary: 'A setting of the checkout leads out of the workspace, or to what is not fetched over HTTP.',
  },
  'condition.not-evaluated': { severity: 'warning', summary: 'Drone does not look at this condition here.' },
} as const satisfies Record<string, LintRule>;

export type LintCode = keyof typeof lintRules;
