import { page } from './router.tsx';

/** Every page and its address. The first that matches counts. */
export const pages = [
  page('/', () => import('./pages/projects/project-list-page.tsx').then((it) => it.ProjectListPage)),
  page('/setup', () => import('./pages/accounts/set-up-page.tsx').then((it) => it.SetUpPage)),
  page('/login', () => import('./pages/accounts/sign-in-page.tsx').then((it) => it.SignInPage)),
  page('/profile', () => import('./pages/accounts/profile-page.tsx').then((it) => it.ProfilePage)),
  page('/welcome', () => import('./pages/accounts/welcome-page.tsx').then((it) => it.WelcomePage)),
  page('/device', () => import('./pages/accounts/device-page.tsx').then((it) => it.DevicePage)),
  page('/site/people', () => import('./pages/admin/people-page.tsx').then((it) => it.PeoplePage)),
  page('/site/audit', () => import('./pages/admin/audit-page.tsx').then((it) => it.AuditPage)),
  page('/:owner', () => import('./pages/projects/project-list-page.tsx').then((it) => it.ProjectListPage)),
  page('/:owner/-/settings/:tab', () =>
    import('./pages/settings/organisation-settings-page.tsx').then((it) => it.OrganisationSettingsPage),
  ),
  page('/:owner/:project', () => import('./pages/projects/project-page.tsx').then((it) => it.ProjectPage)),
  page('/:owner/:project/files', () => import('./pages/projects/files-page.tsx').then((it) => it.FilesPage)),
  page('/:owner/:project/commits', () => import('./pages/projects/commits-page.tsx').then((it) => it.CommitsPage)),
  page('/:owner/:project/commits/:commit', () =>
    import('./pages/projects/commit-page.tsx').then((it) => it.CommitPage),
  ),
  page('/:owner/:project/refs', () => import('./pages/projects/refs-page.tsx').then((it) => it.RefsPage)),
  page('/:owner/:project/pipelines', () =>
    import('./pages/pipelines/pipeline-list-page.tsx').then((it) => it.PipelineListPage),
  ),
  page('/:owner/:project/pipeline-file', () =>
    import('./pages/pipelines/pipeline-file-page.tsx').then((it) => it.PipelineFilePage),
  ),
  page('/:owner/:project/pipelines/:number', () =>
    import('./pages/pipelines/pipeline-page.tsx').then((it) => it.PipelinePage),
  ),
  page('/:owner/:project/settings/:tab', () =>
    import('./pages/settings/settings-page.tsx').then((it) => it.SettingsPage),
  ),
];
