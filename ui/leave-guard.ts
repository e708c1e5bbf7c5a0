import { useEffect } from 'react';
import { guardLeaving } from './router.tsx';

/** Asks before what was typed is lost: at links and "back" with a question of ours, at closing the tab with the browser's. */
export function useLeaveGuard(isActive: boolean, question: string): void {
  useEffect(() => {
    if (!isActive) return undefined;
    const removeGuard = guardLeaving(() => confirm(question));
    const stay = (event: BeforeUnloadEvent): void => event.preventDefault();
    addEventListener('beforeunload', stay);
    return () => {
      removeGuard();
      removeEventListener('beforeunload', stay);
    };
  }, [isActive, question]);
}
