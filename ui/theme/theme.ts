import { useSyncExternalStore } from 'react';

export type ThemeChoice = 'system' | 'light' | 'dark';

const storageKey = 'gantry:theme';
const listeners = new Set<() => void>();
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

/** Follows the system until somebody chooses on this device. */
export function startTheme(): void {
  apply();
  systemIsDark.addEventListener('change', apply);
}

function themeChoice(): ThemeChoice {
  const chosen = localStorage.getItem(storageKey);
  return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}

export function chooseTheme(choice: ThemeChoice): void {
  if (choice === 'system') localStorage.removeItem(storageKey);
  else localStorage.setItem(storageKey, choice);
  apply();
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => themeChoice(),
  );
}

function apply(): void {
  const choice = themeChoice();
  document.documentElement.dataset['theme'] = choice === 'system' ? (systemIsDark.matches ? 'dark' : 'light') : choice;
  for (const listener of listeners) listener();
}
