import type { Dialect } from '../core/plan.ts';
import type { PipelineFile } from './compile-input.ts';

/** The files of a commit that say what is run, and those that are left aside. */
export interface ChosenFiles {
  readonly dialect: Dialect;
  /** One file, or every workflow file of a folder in the order of their names. */
  readonly files: readonly [PipelineFile, ...PipelineFile[]];
  readonly others: readonly string[];
}

const workflowFolder = '.woodpecker/';

/**
 * Chooses among the files that exist, given in the order of precedence (pipelines.md 5). `configuredPath` is what the
 * project's settings say: then these files are that one, or those of that folder.
 */
export function chooseFiles(files: readonly PipelineFile[], configuredPath?: string): ChosenFiles | undefined {
  const [first, ...rest] = files;
  if (!first) return undefined;
  if (configuredPath !== undefined)
    return {
      dialect: configuredPath.endsWith('/') ? 'woodpecker' : configuredDialect(first),
      files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)) as [PipelineFile, ...PipelineFile[]],
      others: [],
    };
  const isTaken = (file: PipelineFile): boolean =>
    file === first || (isWorkflowFile(first.path) && isWorkflowFile(file.path));
  const taken = rest.filter(isTaken);
  return {
    dialect: dialectOf(first),
    files: [first, ...taken].toSorted((a, b) => (a.path < b.path ? -1 : 1)) as [PipelineFile, ...PipelineFile[]],
    others: rest.filter((file) => !isTaken(file)).map(({ path }) => path),
  };
}

/** Whether a path is a workflow file of Woodpecker's folder; folders below it are not read. */
export function isWorkflowFile(path: string): boolean {
  return isFileOf(workflowFolder, path);
}

/** Whether a path is a workflow file directly in the folder, which ends with a slash. */
export function isFileOf(folder: string, path: string): boolean {
  return path.startsWith(folder) && /^[^/]+\.ya?ml$/.test(path.slice(folder.length));
}

/** The command that makes a pipeline file of a program which Drone would run first; `undefined` for a plain file. */
export function renderingCommand(path: string): string | undefined {
  if (path.endsWith('.jsonnet')) return 'drone jsonnet --stream --stdout > .drone.yml';
  return /\.(star|starlark|script)$/.test(path) ? 'drone starlark --stdout > .drone.yml' : undefined;
}

/** The dialect of a file: by its path, and by its text where two share the path. */
export function dialectOf({ path, text }: PipelineFile): Dialect {
  if (/(^|\/)\.woodpecker(\/[^/]+)?\.ya?ml$/.test(path)) return 'woodpecker';
  if (renderingCommand(path) !== undefined) return 'drone1';
  if (!/(^|\/)(\.drone|\.?drone(\/[^/]+)?\.ya?ml)$/.test(path)) return 'gantry';
  // "kind" at the top of any document is the newer form, whatever else there is.
  if (topKeys.kind.test(text)) return 'drone1';
  return topKeys.pipeline.test(text) ? 'drone08' : 'drone1';
}

/** The dialect of a file under a name of somebody's own: what the name says, and else what only one dialect has. */
function configuredDialect(file: PipelineFile): Dialect {
  const { path, text } = file;
  if (/woodpecker/i.test(path)) return 'woodpecker';
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (/drone/i.test(name) || renderingCommand(path) !== undefined) return dialectOf({ ...file, path: '.drone.yml' });
  if (/gantry/i.test(name) || topKeys.kind.test(text)) return 'gantry';
  if (topKeys.pipeline.test(text)) return 'drone08';
  return topKeys.steps.test(text) ? 'woodpecker' : 'gantry';
}

/** Whether a line, or the brace at its beginning, begins with this key; in a block or a list it would be indented. */
const topKeys = {
  kind: /^(?:\{\s*)?["']?kind["']?\s*:/m,
  pipeline: /^(?:\{\s*)?["']?pipeline["']?\s*:/m,
  steps: /^(?:\{\s*)?["']?steps["']?\s*:/m,
};
