import './theme/tokens.css';
import './theme/base.css';
import './theme/parts.css';
import './theme/pages.css';
import { createRoot } from 'react-dom/client';
import { cache } from './api.ts';
import { App } from './app.tsx';
import { onLanguage, preferredLanguage, setLanguage } from './language.ts';
import { applyHappening, applyReset } from './live/apply-happening.ts';
import { listenToStream, startLive } from './live/live.ts';
import { pages } from './pages.ts';
import { startRouter } from './router.tsx';
import { changePerson, goToSignIn } from './session.ts';
import { startTheme } from './theme/theme.ts';

startTheme();
startRouter(pages);
listenToStream((message) => {
  if (message.kind === 'happening') applyHappening(message.happening);
  if (message.kind === 'reset') applyReset();
  if (message.kind === 'signed-out') {
    changePerson();
    goToSignIn();
  }
});
startLive();

const root = document.getElementById('root');
if (!root) throw new Error('Cannot start the page: it has no root element');
await setLanguage(preferredLanguage(), { remember: false });
// Sentences of the server (why a step was skipped, what went wrong) come in the language that they were asked for in.
onLanguage(() => void cache.invalidateQueries());
createRoot(root).render(<App />);
