import { useEffect } from 'react';
import { type Status, statusTone } from './parts/status.tsx';

/** Title and icon of the browser's tab: they carry the state, so that one need not look into the page. */
export function usePageTitle(title: string, status?: Status): void {
  useEffect(() => {
    const mark = status === undefined ? '' : `${marks[statusTone(status)]} `;
    document.title = `${mark}${title === '' ? '' : `${title} · `}Gantry`;
    setIcon(status === undefined ? undefined : statusTone(status));
  }, [title, status]);
}

const marks = { ok: '✓', bad: '✗', run: '●', wait: '◆', warn: '⚠', idle: '○' } as const;
const colors = { ok: '#47a564', bad: '#d83933', run: '#3f8ae6', wait: '#9b6df3', warn: '#d9941f', idle: '#87909c' };
const shapes = {
  ok: '<circle cx="8" cy="8" r="7.5"/><path d="M4.4 8.4l2.4 2.4 4.8-5.2" fill="none" stroke="#fff" stroke-width="2"/>',
  bad: '<rect x=".5" y=".5" width="15" height="15" rx="4"/><path d="M5 5l6 6M11 5l-6 6" stroke="#fff" stroke-width="2"/>',
  run: '<circle cx="8" cy="8" r="6" fill="none" stroke-width="3" stroke-dasharray="26 12"/>',
  wait: '<path d="M8 0l8 8-8 8-8-8z"/>',
  warn: '<path d="M8 1l7.5 14H.5z"/>',
  idle: '<circle cx="8" cy="8" r="6" fill="none" stroke-width="2.4" stroke-dasharray="4 3"/>',
};
const logo =
  '<path d="M2 15V2h13" fill="none" stroke-width="2.6"/><rect x="9" y="8.600" width="5.400" height="5.400" fill="none" stroke-width="2"/>';

function setIcon(tone: keyof typeof shapes | undefined): void {
  const color = tone === undefined ? '#1f5fd6' : colors[tone];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${color}" stroke="${color}">${tone === undefined ? logo : shapes[tone].replaceAll('<circle', '<circle stroke-linecap="round"')}</svg>`;
  document.querySelector('link[rel="icon"]')?.setAttribute('href', `data:image/svg+xml,${encodeURIComponent(svg)}`);
}
