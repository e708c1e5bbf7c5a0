import { ApiError } from '../../../src/api/client.ts';
import type { LogOutline } from '../../../src/api/pipelines.ts';
import type { ProjectName } from '../../addresses.ts';
import { call } from '../../api.ts';

export interface LogAddress {
  readonly owner: string;
  readonly project: string;
  readonly number: number;
  readonly stepId: number;
}

/** Whole lines of a log, and where they stand in it. */
export interface SomeLines {
  /** From 1. */
  readonly firstLine: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Address of the logs of all steps, as one text. */
export function logsUrl({ owner, project }: ProjectName, number: number): string {
  return `/api/v1/projects/${encodeURIComponent(owner)}/${encodeURIComponent(project)}/pipelines/${number}/log`;
}

/** Address of a log's bytes. */
export function logUrl({ owner, project, number, stepId }: LogAddress): string {
  return `/api/v1/projects/${encodeURIComponent(owner)}/${encodeURIComponent(project)}/pipelines/${number}/steps/${stepId}/log`;
}

/** Some lines, counted from 1 or, when negative, from the end. `undefined` while there is no log. */
export async function askLines(
  address: LogAddress,
  { fromLine, limit }: { readonly fromLine: number; readonly limit: number },
  signal: AbortSignal,
): Promise<SomeLines | undefined> {
  const response = await fetch(`${logUrl(address)}?fromLine=${fromLine}&limit=${limit}`, { signal });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return {
    firstLine: Number(response.headers.get('Log-First-Line')),
    offset: Number(response.headers.get('Log-Offset')),
    bytes,
  };
}

/** `undefined` while there is no log. */
export async function askOutline(address: LogAddress, signal: AbortSignal): Promise<LogOutline | undefined> {
  try {
    return await call('getLogOutline', { params: paramsOf(address), signal });
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 404) return undefined;
    throw error;
  }
}

/** When lines came, from one on (from 1). */
export function askTimes(address: LogAddress, fromLine: number, limit: number, signal: AbortSignal) {
  return call('listLogTimes', { params: paramsOf(address), query: { fromLine, limit }, signal });
}

function paramsOf({ owner, project, number, stepId }: LogAddress) {
  return { owner, project, number, step: stepId };
}
