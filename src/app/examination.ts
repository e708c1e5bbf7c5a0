/** One look at the host: `warning` = it works, but something is missing; `failed` = steps or pushes will not work. */
export interface Examination {
  readonly subject: 'node' | 'git' | 'disk' | 'ca' | 'proxy' | 'mirrors' | 'images' | 'runtime' | 'builder';
  readonly verdict: 'ok' | 'warning' | 'failed';
  readonly finding: string;
}
