/** What `gantry help TOPIC` says, in English. Every other language has the same topics, or it does not compile. */
export const helpTopicsEn = {
  'exit-codes': {
    summary: 'What the shell is told',
    lines: [
      'Exit codes:',
      '    0  done',
      '    1  failed',
      '    2  wrong usage or settings, or a question with --no-input',
      '    3  cancelled, declined, or waiting timed out',
      '    4  not signed in, or not allowed',
      '    5  what was watched ended badly: the pipeline failed',
      '    6  not found',
      '  130  Ctrl-C: detaches; twice within 2 s asks to cancel the pipeline',
    ],
  },
  environment: {
    summary: 'Variables that the command line reads',
    lines: [
      'Environment:',
      '  GANTRY_URL       address of the Gantry that is meant',
      '  GANTRY_TOKEN     token to use instead of a sign-in',
      '  XDG_CONFIG_HOME  sign-ins are kept in its gantry/hosts.json (default: ~/.config)',
      '  XDG_CACHE_HOME   what was compiled once is kept in its gantry folder (default: ~/.cache)',
      '  LC_ALL, LC_MESSAGES, LANG',
      '                   zh_CN speaks Chinese; JSON keys and codes are never translated',
      '  NO_COLOR         no colours; FORCE_COLOR=1 has them everywhere',
      '  CI, TERM=dumb    nothing is redrawn in place',
      '',
      'Order: flag, environment, the clone one stands in, the last sign-in.',
      'Settings of the server: gantry config',
    ],
  },
  json: {
    summary: 'Answers for programs',
    lines: [
      'JSON:',
      '  --json               all fields',
      '  --json=number,status only these; one that the answer lacks is null',
      '',
      'Lists are {"items": […], "next": …}: give "next" as --after for the next page; null = there is none.',
      'The chosen fields of a list are those of its items.',
      'gantry pipeline watch --json writes a line of JSON for each change.',
      'Keys and values such as "passed" are those of the API and are never translated.',
      'Times are RFC 3339 in UTC; names ending in Ms are milliseconds, in Bytes bytes; null is not known, or not yet.',
      'What is no answer (progress, hints, errors) goes to stderr: stdout can be read as it is.',
      '',
      "  gantry pipeline list --json=number,status | jq '.items[0]'",
    ],
  },
  formatting: {
    summary: 'What a terminal and a pipe are given',
    lines: [
      'Formatting:',
      '  on a terminal   aligned columns with titles, colours, ages such as "2h ago", cut to its width',
      '  in a pipe       a line for each row with tabs between, no titles, no colours, nothing cut, times in UTC',
      '  -q, --quiet     only names or numbers, one on each line',
      '  --json          for programs: gantry help json',
      '',
      'Progress and questions go to stderr. It is redrawn in place on a terminal only; elsewhere there is a line for each',
      'change, and one every 30 s while nothing changes.',
      'Characters that would steer a terminal are shown and not sent. A log is the exception: its bytes go out as they are.',
      'Colours and redrawing: gantry help environment',
    ],
  },
  targets: {
    summary: 'Which Gantry, project and pipeline are meant',
    lines: [
      'Which Gantry:    --url, GANTRY_URL, the one that a remote of this clone names, the last sign-in',
      'Which project:   --project owner/name, or the one that a remote of this clone names ("origin" first)',
      'Which pipeline:  its number, or the newest of the branch one is on, or else the newest of the project',
      '',
      'So inside a clone these need nothing more:',
      '  gantry pipeline watch',
      '  gantry pipeline why',
    ],
  },
  scripts: {
    summary: 'Use without a person',
    lines: [
      'Scripts:',
      '  GANTRY_URL, GANTRY_TOKEN   say where and as whom, without a sign-in',
      '  --no-input                 never ask: a question that is needed ends with exit code 2 and names its flag',
      '  --yes                      the answer to every "are you sure?"',
      '  --json, --quiet            answers for programs: gantry help json',
      '  --timeout 10m              limit of what waits; exit code 3 when it is over',
      '  gantry help exit-codes     what the shell is told',
      '',
      'A token for it: gantry token create NAME --scope …',
      '',
      '  number=$(gantry pipeline start --project shop/web) &&',
      '    gantry pipeline watch "$number" --project shop/web --timeout 30m',
    ],
  },
  configuration: {
    summary: 'Settings of the server',
    lines: [
      'Settings are read once, at the start: default, file, environment, flag; each counts more than the one before.',
      '  file          GANTRY_CONFIG names it: a JSON object by name of the setting, e.g. {"port": 8080, "slots": 4}',
      '  environment   GANTRY_PORT=8080',
      '  flag          gantry serve --port 8080',
      '',
      'Sizes are written 512MiB, durations 30s. All mistakes are told together, each with where it came from.',
      'gantry config prints every setting, its variable, its value and where that came from; secrets are masked.',
      'gantry doctor looks at what the host offers.',
    ],
  },
} as const satisfies Record<string, HelpTopic>;

export interface HelpTopic {
  /** A few words for the list of topics. */
  readonly summary: string;
  readonly lines: readonly string[];
}

export type HelpTopics = Readonly<Record<keyof typeof helpTopicsEn, HelpTopic>>;
