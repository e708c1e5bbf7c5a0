/** Line drawings of 16 × 16 units, drawn for Gantry. */
const paths = {
  search: 'M7 12.2A5.2 5.2 0 1 0 7 1.8a5.2 5.2 0 0 0 0 10.4ZM10.8 10.8 14.2 14.2',
  project: 'M2 4.2 8 1.4l6 2.8v7.6l-6 2.8-6-2.8zM2 4.2l6 2.8 6-2.8M8 7v7.6',
  code: 'M5.2 4.4 1.8 8l3.4 3.6M10.8 4.4 14.2 8l-3.4 3.6',
  pipeline: 'M1.8 2h4v4h-4zM10.2 10h4v4h-4zM5.8 4H8a2 2 0 0 1 2 2v2a2 2 0 0 0 2 2',
  settings:
    'M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM8 1.4v2M8 12.6v2M1.4 8h2M12.6 8h2M3.3 3.3l1.5 1.5M11.2 11.2l1.5 1.5M12.7 3.3l-1.5 1.5M4.8 11.2l-1.5 1.5',
  person: 'M8 7.6a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.4 14.4c.6-3 2.8-4.6 5.6-4.6s5 1.6 5.6 4.6',
  branch:
    'M4.2 5.2v5.6M4.2 5.2a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6ZM4.2 14.4a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6ZM11.8 6.4a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6ZM11.8 6.4c0 2.6-3.4 2.4-6.4 4.8',
  tag: 'M1.8 1.8h5.6l6.8 6.8-5.6 5.6L1.8 7.4zM4.8 4.8v.1',
  commit: 'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM1 8h4.2M10.8 8H15',
  file: 'M3.4 1.4h5.4l3.8 3.8v9.4H3.4zM8.8 1.4v3.8h3.8',
  folder: 'M1.6 3.2h4.6l1.6 2h6.6v8H1.6z',
  link: 'M6.4 9.6l3.2-3.2M7.2 4.6l1.6-1.6a3 3 0 0 1 4.2 4.2l-1.6 1.6M8.8 11.4 7.2 13A3 3 0 0 1 3 8.8l1.6-1.6',
  copy: 'M5.4 5.4h8.2v8.2H5.4zM10.6 5.4V2.4H2.4v8.2h3',
  quote: 'M2 4.4h3.6V8L4 11.6H2.6L4 8H2zM9 4.4h3.6V8L11 11.6H9.6L11 8H9z',
  terminal: 'M2.4 4.4 6 8l-3.6 3.6M8 12h5.6',
  check: 'M2.8 8.6l3.4 3.4 7-7.6',
  cross: 'M3.4 3.4l9.2 9.2M12.6 3.4l-9.2 9.2',
  chevron: 'M5.4 2.8 10.6 8l-5.2 5.2',
  download: 'M8 1.8v8.4M4.6 7 8 10.4 11.4 7M2.4 13.8h11.2',
  external: 'M6 2.6H2.4v11h11V10M9.4 1.8h4.8v4.8M14 2 7.6 8.4',
  clock: 'M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4ZM8 4.6V8l2.4 1.6',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13',
  moon: 'M13.6 9.6A6 6 0 0 1 6.4 2.4a6 6 0 1 0 7.2 7.2Z',
  language:
    'M8 14.4A6.4 6.4 0 1 0 8 1.6a6.4 6.4 0 0 0 0 12.8ZM1.8 8h12.4M8 1.6c2 2 2.8 4 2.8 6.4S10 12.4 8 14.4C6 12.4 5.2 10.4 5.2 8S6 3.6 8 1.6Z',
  lock: 'M3 7h10v7.4H3zM5 7V4.6a3 3 0 0 1 6 0V7',
  globe:
    'M8 14.4A6.4 6.4 0 1 0 8 1.6a6.4 6.4 0 0 0 0 12.8ZM1.8 8h12.4M8 1.6c2 2 2.8 4 2.8 6.4S10 12.4 8 14.4C6 12.4 5.2 10.4 5.2 8S6 3.6 8 1.6Z',
  audit: 'M8 1.4 13.6 3.6v4.2c0 3.2-2.2 5.6-5.6 6.8-3.4-1.2-5.6-3.6-5.6-6.8V3.6zM5.4 7.8l1.9 1.9 3.4-3.7',
  people:
    'M6 7.4a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2ZM1 14c.4-2.8 2.2-4.2 5-4.2s4.6 1.4 5 4.2M10.4 2.4a2.6 2.6 0 0 1 0 4.8M12.4 10.2c1.4.6 2.3 1.9 2.6 3.8',
  play: 'M4 2.4 13 8l-9 5.6z',
  stop: 'M3.4 3.4h9.2v9.2H3.4z',
  again: 'M13.6 8A5.6 5.6 0 1 1 11.8 3.9L13.8 5.8M13.8 2v3.8H10',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path
        d={paths[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
      <path d="M2 18V2h16" fill="none" stroke="currentColor" strokeWidth="2.4" />
      <path d="M6 2 2 7M14 2v7" fill="none" stroke="currentColor" strokeWidth="1.4" />
      <rect x="11" y="10" width="7" height="7" fill="none" stroke="currentColor" strokeWidth="2" />
    </svg>
  );
}
