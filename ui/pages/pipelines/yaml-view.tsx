import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ResolvedFileView } from '../../../src/api/inspection.ts';
import type { PipelineDetail } from '../../../src/api/pipelines.ts';
import type { ProjectName } from '../../addresses.ts';
import { ask } from '../../api.ts';
import { useMessages } from '../../language.ts';
import { Answer, EmptyState } from '../../parts/answers.tsx';
import { CopyButton } from '../../parts/copy.tsx';
import { Segmented } from '../../parts/field.tsx';
import { CodeLines, countLines } from './code-lines.tsx';

type Side = 'both' | 'read' | 'written' | 'program';

/** Marks above this are no help, and each is an element. */
const maxMarks = 500;

/** The pipeline file as written, and as it read once `${…}` was replaced. */
export function YamlView({ name, pipeline }: { name: ProjectName; pipeline: PipelineDetail }) {
  const t = useMessages();
  const yaml = useQuery(ask('getPipelineYaml', { params: { ...name, number: pipeline.number } }));
  const [path, setPath] = useState<string>();
  return (
    <Answer query={yaml}>
      {({ files, problem, isAsPlanned, hidesVariables }) => {
        const shown = files.find((file) => file.path === path) ?? files[0];
        return (
          <>
            {problem !== null && (
              <p className="notice">
                <bdi>{t.yamlProblem({ problem })}</bdi>
              </p>
            )}
            {!isAsPlanned && <p className="notice">{t.yamlOfToday}</p>}
            {hidesVariables && <p className="notice">{t.yamlHidesVariables}</p>}
            {files.length > 1 && (
              <div className="inspect-bar">
                <label>
                  {t.oneFile}{' '}
                  <select
                    className="input small"
                    value={shown?.path ?? ''}
                    onChange={(event) => setPath(event.target.value)}
                  >
                    {files.map((file) => (
                      <option key={file.path}>{file.path}</option>
                    ))}
                  </select>
                </label>
              </div>
            )}
            {shown && <File key={shown.path} file={shown} />}
          </>
        );
      }}
    </Answer>
  );
}

function File({ file }: { file: ResolvedFileView }) {
  const t = useMessages();
  const [chosen, setSide] = useState<Side>();
  const [at, setAt] = useState(0);
  if (file.isLeftOut) return <EmptyState title={t.fileLeftOut({ path: file.path })} />;
  const reading = file.readings[Math.min(at, file.readings.length - 1)];
  const source = file.converted ?? file.written;
  const sides: Side[] = [
    ...(reading ? (['both', 'read'] as const) : []),
    'written',
    ...(file.converted === null ? [] : (['program'] as const)),
  ];
  // On a narrow page two columns are none.
  const wanted = chosen ?? (matchMedia('(max-width: 860px)').matches ? 'read' : 'both');
  const side = sides.find((one) => one === wanted) ?? sides[0] ?? 'written';
  const changed = reading?.changedLines.slice(0, maxMarks) ?? [];
  // Nearly always each line stays one line; otherwise the two sides have no lines in common.
  const sourceMarks = reading && countLines(reading.text) === countLines(source) ? changed : [];
  const text = side === 'written' ? source : side === 'program' ? file.written : (reading?.text ?? source);
  return (
    <>
      <div className="inspect-bar">
        <Segmented
          label={t.view}
          value={side}
          onChange={setSide}
          options={sides.map((value) => ({ value, label: t.yamlSide[value] }))}
        />
        {file.readings.length > 1 && (
          <label>
            {t.matrixSet}{' '}
            <select className="input small" value={at} onChange={(event) => setAt(Number(event.target.value))}>
              {file.readings.map(({ workflows }, i) => (
                <option key={i} value={i}>
                  {workflows.join('; ')}
                </option>
              ))}
            </select>
          </label>
        )}
        <span className="quiet">
          {reading && t.linesReplaced({ count: reading.changedLines.length })}
          {file.readingsLeftOut > 0 && ` · ${t.setsLeftOut({ count: file.readingsLeftOut })}`}
        </span>
        <span className="spacer" />
        <code>{file.path}</code>
        <CopyButton text={text} label={t.copy} />
      </div>
      <div className={side === 'both' ? 'two-sides' : undefined}>
        {side === 'both' && (
          <section>
            <h2>{t.yamlSide.written}</h2>
            <CodeLines text={source} marks={sourceMarks} label={t.yamlSide.written} />
          </section>
        )}
        <section>
          {side === 'both' && <h2>{t.yamlSide.read}</h2>}
          <CodeLines
            text={text}
            marks={side === 'program' ? [] : side === 'written' ? sourceMarks : changed}
            label={t.yamlSide[side === 'both' ? 'read' : side]}
          />
        </section>
      </div>
    </>
  );
}
