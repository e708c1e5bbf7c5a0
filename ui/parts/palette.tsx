import { Dialog } from '@base-ui/react/dialog';
import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, useState } from 'react';
import { type ProjectName, pipelineAddress, pipelinesAddress, projectAddress, settingsAddress } from '../addresses.ts';
import { ask } from '../api.ts';
import { setLanguage, useLanguage, useMessages } from '../language.ts';
import { go } from '../router.tsx';
import { useMe } from '../session.ts';
import { chooseTheme } from '../theme/theme.ts';
import { useFocusReturn } from './dialog.tsx';

interface Command {
  readonly id: string;
  readonly label: string;
  /** More text to match: pinyin, an alias. */
  readonly aliases?: string;
  readonly hint?: string;
  readonly run: () => void;
}

const shownCommands = 12;

/** Where to go and what to do, by typing. Safe while an input method composes. */
export function Palette({ project, onClose }: { project?: ProjectName; onClose: () => void }) {
  const t = useMessages();
  const language = useLanguage();
  const me = useMe();
  useFocusReturn();
  const [query, setQuery] = useState('');
  const [active, setActive] = useState(0);
  const projects = useQuery({
    ...ask('listProjects', { query: { limit: 20, ...(query.length > 1 && !query.startsWith('#') && { query }) } }),
    placeholderData: (before) => before,
  });

  const number = /^#?(\d{1,9})$/.exec(query.trim())?.[1];
  const isDark = document.documentElement.dataset['theme'] === 'dark';
  const commands: Command[] = [
    ...(project
      ? [
          {
            id: 'code',
            label: t.code,
            aliases: 'dm daima files',
            hint: project.project,
            run: () => go(projectAddress(project)),
          },
          {
            id: 'pipelines',
            label: t.pipelines,
            aliases: 'lsx liushuixian',
            hint: project.project,
            run: () => go(pipelinesAddress(project)),
          },
          {
            id: 'settings',
            label: t.settings,
            aliases: 'sz shezhi',
            hint: project.project,
            run: () => go(settingsAddress(project)),
          },
        ]
      : []),
    { id: 'projects', label: t.projects, aliases: 'xm xiangmu home', run: () => go('/') },
    ...(me?.isSiteAdmin
      ? [
          { id: 'people', label: t.people, aliases: 'yh yonghu users', hint: t.site, run: () => go('/site/people') },
          { id: 'audit', label: t.audit, aliases: 'sj shenji log', hint: t.site, run: () => go('/site/audit') },
        ]
      : []),
    { id: 'profile', label: t.profile, aliases: 'gr geren token password', run: () => go('/profile') },
    {
      id: 'theme',
      label: isDark ? t.lightTheme : t.darkTheme,
      aliases: 'zt zhuti theme',
      run: () => chooseTheme(isDark ? 'light' : 'dark'),
    },
    {
      id: 'language',
      label: language === 'zh' ? 'English' : '中文',
      aliases: 'yy yuyan language zhongwen chinese',
      run: () => void setLanguage(language === 'zh' ? 'en' : 'zh'),
    },
    ...(projects.data?.items ?? []).map((one) => ({
      id: `project ${one.slug}`,
      label: one.slug,
      hint: t.project,
      run: () => go(projectAddress({ owner: one.owner, project: one.name })),
    })),
  ];
  const found = (query === '' ? commands : best(query, commands)).slice(0, shownCommands);
  if (project && number !== undefined)
    found.unshift({
      id: 'number',
      label: `${t.pipeline} #${number}`,
      hint: project.project,
      run: () => go(pipelineAddress(project, Number(number))),
    });

  const choose = (command: Command | undefined): void => {
    if (!command) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      choose(found[active]);
    }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    setActive(Math.min(Math.max(active + (event.key === 'ArrowDown' ? 1 : -1), 0), found.length - 1));
  };

  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="veil" />
        <Dialog.Popup className="dialog palette" aria-label={t.search}>
          <input
            autoFocus
            role="combobox"
            aria-label={t.search}
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant={found[active] && `palette-${active}`}
            placeholder={t.paletteHint}
            value={query}
            onKeyDown={onKeyDown}
            onChange={(event) => {
              setQuery(event.target.value);
              setActive(0);
            }}
          />
          <ul id="palette-list" role="listbox" aria-label={t.search}>
            {found.map((command, i) => (
              <li
                key={command.id}
                id={`palette-${i}`}
                role="option"
                aria-selected={i === active}
                onMouseMove={() => setActive(i)}
                onClick={() => choose(command)}
              >
                <bdi>{command.label}</bdi>
                <span className="quiet">{command.hint}</span>
              </li>
            ))}
          </ul>
          {found.length === 0 && <p className="quiet palette-nothing">{t.nothingFound({ query })}</p>}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function best(query: string, commands: readonly Command[]): Command[] {
  return commands
    .map((command) => ({ command, score: score(query, `${command.label} ${command.aliases ?? ''}`) }))
    .filter((entry) => entry.score >= 0)
    .sort((a, b) => b.score - a.score)
    .map((entry) => entry.command);
}

/** Letters in order; neighbours count most, word beginnings next. -1: no match. */
function score(query: string, text: string): number {
  const lower = text.toLowerCase();
  let [sum, from, last] = [0, 0, -1];
  for (const letter of query.toLowerCase()) {
    const at = lower.indexOf(letter, from);
    if (at < 0) return -1;
    sum += at === last + 1 ? 3 : at === 0 || ' /-_'.includes(lower[at - 1] ?? '') ? 2 : 1;
    last = at;
    from = at + 1;
  }
  return sum;
}
