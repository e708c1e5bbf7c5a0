import { chooseFiles } from './choose-files.ts';
import type { CompileInput, PipelineFile } from './compile-input.ts';
import { axisText } from './conditions.ts';
import { expandIncludes } from './includes.ts';
import { readPipelineFile } from './read-pipeline-file.ts';
import type { ResolvedFile, ResolvedReading } from './resolved-files.ts';
import { LineIndex } from './source-position.ts';
import type { SourceDocument } from './split-documents.ts';
import type { Substituted } from './substitute.ts';

/** Ways in which one file may be shown: a matrix has more than anybody looks at. */
const maxReadings = 20;

/** Text of all files together, as written and as read. */
const maxResolvedLength = 2 * 1024 * 1024;

/** A document of a file, and its text for each time that it was read. */
interface ReadDocument {
  readonly document: SourceDocument;
  readonly results: Substituted[];
}

/**
 * The pipeline files of an event as written, and as they read once `${…}` is replaced: what the compiler sees before it
 * is YAML. Secrets are not in it: a file names them only. Pure; never throws for what a file contains.
 */
export function resolveFiles(input: CompileInput): readonly ResolvedFile[] {
  const chosen = chooseFiles(input.files, input.rules?.path);
  if (!chosen) return [];
  let length = 0;
  return chosen.files.map((file) => {
    length += file.text.length;
    if (length > maxResolvedLength) return leftOut(file);
    const documents: ReadDocument[] = [];
    const { workflows } = readPipelineFile(file, chosen.dialect, input, (document, result) => {
      const known = documents.find((one) => one.document.offset === document.offset);
      if (known) known.results.push(result);
      else documents.push({ document, results: [result] });
    });
    const own = file.text.replace(/^\uFEFF/, '');
    const expanded = chosen.dialect === 'gantry' ? expandIncludes(own, file.includes ?? []) : undefined;
    const text = expanded?.text ?? own;
    const matrices = Map.groupBy(workflows, ({ name }) => name)
      .values()
      .filter((legs) => legs.length > 1)
      .toArray();
    const nameOf = (time: number): string =>
      [...new Set(matrices.map((legs) => axisText(legs[time]?.matrix ?? {})))]
        .filter((name) => name !== '')
        .join(' · ');
    const times = Math.max(0, ...documents.map(({ results }) => results.length));
    const readings: { workflows: string[]; text: string; changedLines: readonly number[] }[] = [];
    let readingsLeftOut = 0;
    for (let time = 0; time < times; time += 1) {
      const name = times === 1 ? [] : [nameOf(time) || `#${time + 1}`];
      const reading = readingOf(text, documents, time);
      const same = readings.find((one) => one.text === reading.text);
      if (same) same.workflows.push(...name);
      else if (readings.length >= maxReadings || length + reading.text.length > maxResolvedLength) readingsLeftOut += 1;
      else {
        readings.push({ workflows: name, ...reading });
        length += reading.text.length;
      }
    }
    return { path: file.path, written: own, isLeftOut: false, readings, readingsLeftOut };
  });
}

function leftOut({ path }: PipelineFile): ResolvedFile {
  return { path, written: '', isLeftOut: true, readings: [], readingsLeftOut: 0 };
}

/** The whole file with each document as it was read that time. */
function readingOf(
  text: string,
  documents: readonly ReadDocument[],
  time: number,
): Pick<ResolvedReading, 'text' | 'changedLines'> {
  const source = new LineIndex(text);
  const sourceLines = text.split('\n');
  const changedLines: number[] = [];
  let whole = '';
  let at = 0;
  let line = 1;
  for (const { document, results } of documents) {
    const result = results[Math.min(time, results.length - 1)]!;
    const before = text.slice(at, document.offset);
    whole += before;
    line += countNewlines(before);
    let offset = 0;
    for (const shown of result.text.split('\n')) {
      const from = source.at(document.offset + result.sourceOffset(offset)).line;
      if (offset < result.text.length && shown !== sourceLines[from - 1]) changedLines.push(line);
      offset += shown.length + 1;
      line += 1;
    }
    // A document that ends with a line break ends where the next line begins.
    line -= 1;
    whole += result.text;
    at = document.offset + document.text.length;
  }
  return { text: whole + text.slice(at), changedLines };
}

function countNewlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
